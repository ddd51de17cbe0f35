use super::*;

fn with_prices(text: &str) -> Result<Loaded, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("prices.json");
    std::fs::write(&file, text).unwrap();
    let path = file.to_str().unwrap();
    load_text(&format!("[prices]\nfile = '{path}'\n"), &[]).map_err(|said| said.replace(path, "prices.json"))
}

#[test]
fn the_operators_prices_are_read_at_the_start() {
    let one = r#"{"models": [{"provider": "mine", "name": "m", "prices": [{"input": "1"}]}]}"#;
    let entries = with_prices(one).unwrap().config.prices.unwrap();
    assert_eq!(entries.models().len(), 1);
    assert_eq!(load_text("", &[]).unwrap().config.prices, None);
}

#[test]
fn prices_that_make_no_sense_are_refused_with_their_place() {
    for (text, said) in [
        (
            r#"{"models": [{"provider": "mine", "name": "m", "prices": [{"input": 1}]}]}"#,
            "my.toml:2: `prices.file` names prices.json, which makes no sense: invalid type: integer `1`",
        ),
        (
            "{\"models\": [\n{\"provider\": \"mine\", \"name\": \"m\", \"prise\": []}]}",
            "which makes no sense: unknown field `prise`, expected one of",
        ),
        (
            r#"{"models": [{"provider": "mine", "name": "m"}, {"provider": "mine", "name": "m"}]}"#,
            "which makes no sense: mine/m: one of its names is there twice; take one away",
        ),
        (&" ".repeat((4 << 20) + 1), "which is larger than 4194304 bytes"),
    ] {
        let refused = with_prices(text).unwrap_err();
        assert!(refused.contains(said), "{refused}");
    }
    let nowhere = refused("[prices]\nfile = '/nowhere/prices.json'\n");
    assert!(
        nowhere
            .starts_with("my.toml:2: `prices.file` names /nowhere/prices.json, which can't be read: No such"),
        "{nowhere}"
    );
}
