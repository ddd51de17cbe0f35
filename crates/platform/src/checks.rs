//! What values must be before they go any further; the rules themselves are `domain`'s.

use crate::platform::Platform;
use crate::problem::Problem;
use ipnet::IpNet;
use std::net::IpAddr;
use topdog_domain::tenant::checked_name;
use topdog_domain::tier::TierName;

/// A display name.
pub(crate) fn name(param: &'static str, text: &str) -> Result<(), Problem> {
    checked_name(text).map(|_| ()).map_err(|bad| bad_field(param, bad.to_string()))
}

/// A tier of the catalogue.
pub(crate) fn known_tier(platform: &Platform, name: &TierName) -> Result<(), Problem> {
    let tiers = platform.parts.directory.tiers();
    if tiers.find(name).is_some() {
        return Ok(());
    }
    let known: Vec<&str> = tiers.iter().map(|tier| tier.name.as_str()).collect();
    Err(bad_field("tier", format!("no tier has that name; there are {}", known.join(", "))))
}

/// Names or patterns of models.
pub(crate) fn models(models: &[String]) -> Result<(), Problem> {
    let is_model =
        |model: &String| (1..=200).contains(&model.len()) && model.bytes().all(|b| b.is_ascii_graphic());
    let is_good = models.len() <= MAX_ITEMS && models.iter().all(is_model);
    let expected = || format!("at most {MAX_ITEMS} names of 1 to 200 visible ASCII characters");
    if is_good { Ok(()) } else { Err(bad_field("models", expected())) }
}

/// Addresses and networks, in one form each.
pub(crate) fn networks(texts: &[String]) -> Result<Vec<IpNet>, Problem> {
    let bad = || {
        let expected =
            format!("at most {MAX_ITEMS} addresses or networks such as 203.0.113.7 or 2001:db8::/32");
        bad_field("ip_allow", expected)
    };
    if texts.len() > MAX_ITEMS {
        return Err(bad());
    }
    texts.iter().map(|text| network(text).ok_or_else(bad)).collect()
}

const MAX_ITEMS: usize = 100;

fn network(text: &str) -> Option<IpNet> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.to_canonical().into());
    }
    let net = text.parse::<IpNet>().ok()?.trunc();
    match net {
        // Callers are compared in their IPv4 form, so a network in the other form would match none.
        IpNet::V6(v6) if v6.addr().to_ipv4_mapped().is_some() => {
            let prefix = v6.prefix_len().checked_sub(96)?;
            IpNet::new(net.addr().to_canonical(), prefix).ok()
        }
        _ => Some(net),
    }
}

/// A field that can be read and is not acceptable.
pub(crate) fn bad_field(param: &'static str, message: impl Into<String>) -> Problem {
    Problem::BadField { param, message: message.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_come_in_one_form() {
        let given =
            ["203.0.113.7", "203.0.113.7/24", "::ffff:203.0.113.7", "::ffff:203.0.113.0/120", "2001:db8::1"];
        let texts: Vec<String> = given.iter().map(|text| (*text).to_owned()).collect();
        let shown: Vec<String> = networks(&texts).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            ["203.0.113.7/32", "203.0.113.0/24", "203.0.113.7/32", "203.0.113.0/24", "2001:db8::1/128"]
        );
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for bad in ["", "10.0.0.0/33", "localhost", "10.0.0.0/8, 11.0.0.0/8"] {
            assert!(networks(&[bad.to_owned()]).is_err(), "{bad}");
        }
    }
}
