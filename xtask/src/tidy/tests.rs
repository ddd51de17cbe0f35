//! Each rule is shown to pass on a clean checkout and to fail on one departure from it.

use std::fs;

use tempfile::TempDir;

use super::check;
use super::layout::{MEMBERS, Member};

/// A checkout in a temporary folder that keeps every rule until a test breaks one.
struct Checkout(TempDir);

impl Checkout {
    fn clean() -> Self {
        let checkout = Self(TempDir::new().unwrap());
        let mut workspace = "[workspace.dependencies]\nserde = \"1\"\n".to_owned();
        let mut map = String::new();
        for member in MEMBERS {
            workspace += &format!("{} = {{ path = \"{}\" }}\n", member.package, member.folder);
            map += &format!("- `{}`: {}\n", member.folder, member.sentence);
            checkout.write(&format!("{}/Cargo.toml", member.folder), &manifest(member));
            let source = format!("//! {}\n\npub struct Here;\n", member.sentence);
            checkout.write(&format!("{}/src/lib.rs", member.folder), &source);
        }
        checkout.write("Cargo.toml", &workspace);
        checkout.write("ARCHITECTURE.md", &map);
        for engine in ["sqlite", "postgres"] {
            for name in ["0001_tenants", "0002_keys"] {
                checkout.write(&format!("crates/store/migrations/{engine}/{name}.sql"), "SELECT 1;\n");
            }
        }
        checkout
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn append(&self, path: &str, text: &str) {
        let whole = fs::read_to_string(self.0.path().join(path)).unwrap() + text;
        self.write(path, &whole);
    }

    fn remove(&self, path: &str) {
        fs::remove_file(self.0.path().join(path)).unwrap();
    }

    fn violations(&self) -> Vec<String> {
        check(self.0.path()).unwrap().iter().map(ToString::to_string).collect()
    }

    /// Exactly one violation, at this place, by this rule.
    #[track_caller]
    fn breaks(&self, place_and_rule: &str) {
        let found = self.violations();
        assert_eq!(found.len(), 1, "expected only {place_and_rule}, found {found:#?}");
        assert!(
            found[0].starts_with(&format!("{place_and_rule}: ")),
            "expected {place_and_rule}, found {found:?}"
        );
    }

    #[track_caller]
    fn passes(&self) {
        assert_eq!(self.violations(), Vec::<String>::new());
    }
}

fn manifest(member: &Member) -> String {
    let mut text =
        format!("[package]\nname = \"{}\"\n\n[dependencies]\nserde.workspace = true\n", member.package);
    for package in member.may_use {
        text += &format!("{package}.workspace = true\n");
    }
    text
}

/// A source of the gateway with this code on its third line.
#[track_caller]
fn gateway_source(code: &str) -> Checkout {
    let checkout = Checkout::clean();
    checkout.write("crates/gateway/src/step.rs", &format!("//! A step.\n\n{code}\n"));
    checkout
}

#[test]
fn a_clean_checkout_passes_with_every_arrow_drawn() {
    Checkout::clean().passes();
}

#[test]
fn an_empty_folder_is_an_error_not_a_pass() {
    assert!(check(TempDir::new().unwrap().path()).is_err());
}

#[test]
fn the_layout_has_no_cycle_and_names_only_members() {
    // Repeatedly take away members that use nothing that is left; a cycle would remain.
    let mut left: Vec<&Member> = MEMBERS.iter().collect();
    while !left.is_empty() {
        let names: Vec<&str> = left.iter().map(|member| member.package).collect();
        let before = left.len();
        left.retain(|member| member.may_use.iter().any(|used| names.contains(used)));
        assert!(left.len() < before, "a cycle among {names:?}");
    }
    for used in MEMBERS.iter().flat_map(|member| member.may_use) {
        assert!(MEMBERS.iter().any(|member| member.package == *used), "{used} is no member");
    }
}

#[test]
fn only_the_binary_may_know_the_store() {
    for member in MEMBERS.iter().filter(|member| !["topdog", "topdog-store"].contains(&member.package)) {
        assert!(!member.may_depend_on("topdog-store"), "{} may know the store", member.package);
    }
}

#[test]
fn a_forbidden_dependency_fails_in_every_section() {
    for section in [
        "build-dependencies",
        "dev-dependencies",
        "target.'cfg(unix)'.dependencies",
        "target.'cfg(unix)'.dev-dependencies",
    ] {
        let checkout = Checkout::clean();
        checkout.append("crates/wire/Cargo.toml", &format!("\n[{section}]\ntopdog-store.workspace = true\n"));
        checkout.breaks("crates/wire/Cargo.toml:9: arrows");
    }
    let checkout = Checkout::clean();
    checkout.append("crates/wire/Cargo.toml", "topdog-store = { path = \"../store\" }\n");
    checkout.breaks("crates/wire/Cargo.toml:7: arrows");
}

#[test]
fn a_dependency_in_a_table_of_its_own_is_seen() {
    let checkout = Checkout::clean();
    checkout.append("crates/domain/Cargo.toml", "\n[dependencies.topdog-wire]\npath = \"../wire\"\n");
    checkout.breaks("crates/domain/Cargo.toml:7: arrows");
}

#[test]
fn a_renamed_dependency_is_seen() {
    let here = Checkout::clean();
    here.append("crates/gateway/Cargo.toml", "db = { path = \"../store\", package = \"topdog-store\" }\n");
    here.breaks("crates/gateway/Cargo.toml:10: arrows");

    let in_the_workspace = Checkout::clean();
    in_the_workspace.append("Cargo.toml", "db = { path = \"crates/store\", package = \"topdog-store\" }\n");
    in_the_workspace.append("crates/gateway/Cargo.toml", "db.workspace = true\n");
    in_the_workspace.breaks("crates/gateway/Cargo.toml:10: arrows");
}

#[test]
fn a_package_under_another_name_fails() {
    let checkout = Checkout::clean();
    checkout.write("crates/jobs/Cargo.toml", "[package]\nname = \"topdog-work\"\n");
    checkout.breaks("crates/jobs/Cargo.toml:1: arrows");
}

#[test]
fn a_crate_that_the_layout_does_not_know_fails() {
    let checkout = Checkout::clean();
    checkout.write("crates/billing/Cargo.toml", "[package]\nname = \"topdog-billing\"\n");
    checkout.append("ARCHITECTURE.md", "- `crates/billing`\n");
    checkout.breaks("crates/billing/Cargo.toml:1: arrows");
}

#[test]
fn a_path_in_code_to_a_forbidden_crate_fails() {
    gateway_source("use topdog_store::Pool;").breaks("crates/gateway/src/step.rs:3: arrows");
    gateway_source("type P = ::topdog_platform::Api;").breaks("crates/gateway/src/step.rs:3: arrows");
    gateway_source("use topdog_domain::Tier;").passes();
    gateway_source("use topdog_gateway::journey;").passes();
}

#[test]
fn prose_and_literals_are_not_code() {
    gateway_source("// topdog_store::Pool keeps it").passes();
    gateway_source("/* a /* nested */ topdog_store::Pool */").passes();
    gateway_source("const T: &str = \"\\\"topdog_store::x #[allow(x)] todo!()\";").passes();
    gateway_source("const T: &str = r#\"\"topdog_store::x #[ignore]\"#;").passes();
    gateway_source("const C: [char; 3] = ['\"', '\\'', '/'];\nfn f<'a>(x: &'a str) { topdog_store::f(x) }")
        .breaks("crates/gateway/src/step.rs:4: arrows");
}

#[test]
fn a_long_file_fails_tests_and_generated_data_aside() {
    let lines = |count: usize| "// x\n".repeat(count);
    let at = |path: &str, text: &str| {
        let checkout = Checkout::clean();
        checkout.write(path, text);
        checkout
    };
    at("crates/wire/src/big.rs", &lines(501)).breaks("crates/wire/src/big.rs:501: size");
    at("bench/load/src/main.rs", &lines(501)).breaks("bench/load/src/main.rs:501: size");
    at("crates/wire/src/contests.rs", &lines(501)).breaks("crates/wire/src/contests.rs:501: size");
    at("crates/wire/src/big.rs", &lines(500)).passes();
    at("crates/wire/src/sse/tests.rs", &lines(501)).passes();
    at("crates/wire/src/sse_tests.rs", &lines(501)).passes();
    at("crates/wire/tests/golden.rs", &lines(501)).passes();
    at("crates/wire/src/prices.rs", &format!("// @generated by a script\n{}", lines(501))).passes();
    at("crates/wire/target/debug/out.rs", &lines(501)).passes();
    at("crates/wire/src/target/big.rs", &lines(501)).breaks("crates/wire/src/target/big.rs:501: size");
}

#[test]
fn a_crate_without_its_sentence_fails() {
    let checkout = Checkout::clean();
    checkout.write("crates/vault/src/lib.rs", "//! How secrets are kept.\n");
    checkout.breaks("crates/vault/src/lib.rs:1: header");

    let checkout = Checkout::clean();
    checkout.write("crates/topdog/src/main.rs", "fn main() {}\n");
    checkout.breaks("crates/topdog/src/main.rs:1: header");

    let checkout = Checkout::clean();
    checkout.remove("crates/jobs/src/lib.rs");
    checkout.breaks("crates/jobs/Cargo.toml:1: header");
}

#[test]
fn a_wrapped_sentence_passes() {
    let checkout = Checkout::clean();
    checkout.write(
        "crates/jobs/src/lib.rs",
        "//! What runs later or can't be trusted:\n//! workers and the sandbox.\n//!\n//! More.\n",
    );
    checkout.passes();
}

#[test]
fn a_migration_for_one_engine_fails() {
    let checkout = Checkout::clean();
    checkout.write("crates/store/migrations/postgres/0003_usage.sql", "");
    checkout.breaks("crates/store/migrations/postgres/0003_usage.sql:1: migrations");

    let checkout = Checkout::clean();
    checkout.write("crates/store/migrations/sqlite/0003_usage.sql", "");
    checkout.breaks("crates/store/migrations/sqlite/0003_usage.sql:1: migrations");
}

#[test]
fn misnumbered_migrations_fail() {
    for (name, expected) in
        [("0004_usage.sql", 2), ("0002_more.sql", 2), ("usage.sql", 2), ("3_usage.sql", 2)]
    {
        let checkout = Checkout::clean();
        for engine in ["sqlite", "postgres"] {
            checkout.write(&format!("crates/store/migrations/{engine}/{name}"), "");
        }
        let found = checkout.violations();
        assert_eq!(found.len(), expected, "{name}: {found:#?}");
        assert!(found.iter().all(|line| line.contains(": migrations: ")), "{name}: {found:#?}");
    }
}

#[test]
fn a_store_without_migrations_fails() {
    let checkout = Checkout::clean();
    for engine in ["sqlite", "postgres"] {
        for name in ["0001_tenants", "0002_keys"] {
            checkout.remove(&format!("crates/store/migrations/{engine}/{name}.sql"));
        }
    }
    assert_eq!(checkout.violations().len(), 2);
}

#[test]
fn a_lint_switched_off_fails() {
    for code in [
        "#[allow(dead_code)]\nfn f() {}",
        "#![allow(dead_code)]",
        "# [ allow ( dead_code ) ]\nfn f() {}",
        "#[cfg_attr(all(test, unix), allow(dead_code))]\nfn f() {}",
        "#[\n    allow(dead_code)\n]\nfn f() {}",
    ] {
        gateway_source(code).breaks("crates/gateway/src/step.rs:3: allow");
    }
    gateway_source("#[expect(dead_code, reason = \"shows it\")]\nfn f() { policy.allow(1) }").passes();
}

#[test]
fn an_ignored_test_fails() {
    for code in
        ["#[ignore]", "#[ignore = \"slow\"]", "#[cfg_attr(unix, ignore = \"slow\")]", "#[test] #[ignore]"]
    {
        gateway_source(&format!("{code}\nfn f() {{}}")).breaks("crates/gateway/src/step.rs:3: ignore");
    }
    gateway_source("#[derive(Debug)]\nstruct Ignore { ignore: [u8; 2] }").passes();
}

#[test]
fn unfinished_code_fails() {
    gateway_source("fn f() { todo!() }").breaks("crates/gateway/src/step.rs:3: unfinished");
    gateway_source("fn f() { unimplemented!(\"later\") }").breaks("crates/gateway/src/step.rs:3: unfinished");
    gateway_source("fn f(todo: u8) -> bool { todo != 1 }").passes();
}

#[test]
fn a_name_that_says_nothing_fails() {
    for path in ["utils.rs", "helpers/mod.rs", "common.rs", "manager.rs", "key_manager.rs"] {
        let checkout = Checkout::clean();
        checkout.write(&format!("crates/vault/src/{path}"), "");
        checkout.breaks(&format!("crates/vault/src/{path}:1: names"));
    }
    gateway_source("mod utils { }").breaks("crates/gateway/src/step.rs:3: names");
    gateway_source("fn f(common: u8) { manager(common) }").passes();
}

#[test]
fn a_crate_missing_from_the_map_fails() {
    let checkout = Checkout::clean();
    let all = fs::read_to_string(checkout.0.path().join("ARCHITECTURE.md")).unwrap();
    checkout.write("ARCHITECTURE.md", &all.replace("crates/jobs", "crates/jobs-of-old"));
    checkout.breaks("ARCHITECTURE.md:1: architecture");
    checkout.remove("ARCHITECTURE.md");
    assert_eq!(checkout.violations().len(), MEMBERS.len());
}
