/// The seconds of a duration as people write it: `90s`, `15m`, `1h`, `30d`.
///
/// # Errors
/// Says what is expected.
pub(crate) fn seconds(text: &str) -> Result<u64, String> {
    let expected = || format!("`{text}` is no duration; write a number and s, m, h or d, such as 1h");
    let unit = text.chars().last().ok_or_else(expected)?;
    let factor = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(expected()),
    };
    let digits = text.strip_suffix(unit).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let number: u64 = digits.and_then(|digits| digits.parse().ok()).ok_or_else(expected)?;
    number.checked_mul(factor).ok_or_else(expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_number_and_a_unit() {
        assert_eq!(seconds("90s"), Ok(90));
        assert_eq!(seconds("15m"), Ok(900));
        assert_eq!(seconds("1h"), Ok(3_600));
        assert_eq!(seconds("30d"), Ok(2_592_000));
        assert_eq!(seconds("0s"), Ok(0));
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in
            ["", "1", "h", "-1h", "+1h", "1.5h", "1 h", "1w", "99999999999999999999d", "999999999999999999d"]
        {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
