mod prices;
mod providers;

use super::*;
use topdog_domain::labels::{DataSegment, Plan};

fn load_text(text: &str, variables: &[(&str, &str)]) -> Result<Loaded, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("my.toml");
    std::fs::write(&file, text).unwrap();
    let sources = Sources { data_dir: folder.path().to_owned(), file: Some(file), flags: Vec::new() };
    let environment = variables.iter().copied().collect();
    load(&sources, &environment).map_err(|error| {
        let folder = format!("{}/", folder.path().display());
        error.to_string().replace(&folder, "")
    })
}

fn refused(text: &str) -> String {
    load_text(text, &[]).unwrap_err()
}

fn refused_variable(name: &str, value: &str) -> String {
    load_text("", &[(name, value)]).unwrap_err()
}

#[test]
fn the_defaults_are_a_whole_configuration() {
    let config = load_text("", &[]).unwrap().config;
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.admin_listen.to_string(), "127.0.0.1:9090");
    assert_eq!(config.server.max_body_bytes, 33_554_432);
    assert!(!config.is_test_provider_enabled);
    let openai = config.providers.iter().find(|provider| provider.name.as_str() == "openai").unwrap();
    assert_eq!(openai.base_url, "https://api.openai.com/v1");
    assert!(matches!(config.vault.root_key, RootKeySource::DataDir(path) if path.ends_with("root.key")));
}

#[test]
fn every_default_is_explained() {
    let mut previous = "";
    let mut is_explained = false;
    for line in settings::DEFAULTS.lines() {
        if line.contains(" = ") && !line.starts_with('#') {
            let is_pair = previous.contains(" = ") && previous.starts_with("cert_file");
            assert!(previous.starts_with('#') || is_pair || is_explained, "no comment above `{line}`");
        }
        // What a provider's table holds is said in the first one.
        is_explained = match line.strip_prefix("[providers.") {
            Some(name) => name != "openai]",
            None => is_explained && !line.starts_with('['),
        };
        previous = line;
    }
}

#[test]
fn a_file_overrides_defaults_the_environment_a_file_and_a_flag_all() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("topdog.toml"),
        "[server]\nlisten = '127.0.0.1:1'\nworkers = 3\nmax_connections = 7\n",
    )
    .unwrap();
    let sources = Sources {
        data_dir: folder.path().to_owned(),
        file: None,
        flags: vec![("--listen".into(), "server.listen".into(), "127.0.0.1:3".into())],
    };
    let environment = [("TOPDOG_SERVER__LISTEN", "127.0.0.1:2"), ("TOPDOG_SERVER__WORKERS", "4")];
    let loaded = load(&sources, &environment.into_iter().collect()).unwrap();
    assert_eq!(loaded.config.server.listen.port(), 3);
    assert_eq!(loaded.config.server.workers, Some(4));
    assert_eq!(loaded.config.server.max_connections, 7);
    let sources: Vec<_> = ["server.listen", "server.workers", "server.max_connections", "admin.listen"]
        .map(|key| loaded.settings.source(key).to_string())
        .into();
    assert_eq!(sources[0], "flag --listen");
    assert_eq!(sources[1], "environment variable TOPDOG_SERVER__WORKERS");
    assert!(sources[2].ends_with("topdog.toml:4"));
    assert_eq!(sources[3], "default");
}

#[test]
fn an_unknown_key_is_refused_with_its_line_and_the_nearest_name() {
    assert_eq!(
        refused("[server]\nlisten = '127.0.0.1:0'\nmax_body_byte = 1\n"),
        "my.toml:3: there is no setting `server.max_body_byte`, did you mean `server.max_body_bytes`?"
    );
    assert_eq!(
        refused("[[egress.allow]]\nnet = '10.0.0.0/8'\nport = 80\n"),
        "my.toml:1: there is no setting `egress.allow.port`, did you mean `egress.allow.ports`?"
    );
    assert_eq!(
        refused("[providers.openai]\nbase_ur = 'https://x.example/v1'\n"),
        "my.toml:2: there is no setting `providers.openai.base_ur`, did you mean `providers.openai.base_url`?"
    );
    assert_eq!(
        refused("[quite_something]\nelse = 1\n"),
        "my.toml:2: there is no setting `quite_something.else`, `topdog config show` lists all"
    );
    assert_eq!(
        refused_variable("TOPDOG_SERVER__LISTN", "x"),
        "environment variable TOPDOG_SERVER__LISTN: there is no setting `server.listn`, did you mean \
         `server.listen`?"
    );
}

#[test]
fn a_value_that_makes_no_sense_is_refused_with_its_place() {
    for (text, message) in [
        ("[server]\nlisten = 8080\n", "my.toml:2: `server.listen` takes a text in quotes"),
        ("[server]\nworkers = '2'\n", "my.toml:2: `server.workers` takes a whole number"),
        ("\n[server]\nworkers = -1\n", "my.toml:3: `server.workers` must be a number from 0"),
        (
            "[server]\nlisten = 'localhost'\n",
            "my.toml:2: `server.listen` takes an address with a port, such as 127.0.0.1:8080",
        ),
        (
            "[spool]\non_full = 'drop'\n",
            "my.toml:2: `spool.on_full` must be one of refuse_regulated, refuse_all",
        ),
        (
            "[spool]\nrecorder_dir = 'shm'\n",
            "my.toml:2: `spool.recorder_dir` must be auto, off or an absolute path",
        ),
        ("[spool]\ncommit_window_ms = 21\n", "my.toml:2: `spool.commit_window_ms` must be 20 or less"),
        (
            "[vault]\nroot_key = 'c2VjcmV0'\n",
            "my.toml:2: `vault.root_key` takes a reference, env:NAME or file:PATH",
        ),
        (
            "[store]\nurl = 'postgres://topdog:secret@db/topdog'\n",
            "my.toml:2: `store.url` holds a password; give the URL by reference, env:NAME or file:PATH",
        ),
        (
            "[server.tls]\ncert_file = 'cert.pem'\n",
            "default: `server.tls.key_file` must be set where cert_file is",
        ),
        ("[log]\nlevel = 0.5\n", "my.toml:2: no setting takes a fraction or a date"),
        ("[log\n", "my.toml:1: unclosed table, expected `]`"),
    ] {
        assert_eq!(refused(text), message);
    }
}

#[test]
fn the_test_provider_is_refused_where_others_could_reach_it() {
    let text = "[server]\nlisten = '0.0.0.0:8080'\n[test_provider]\nenabled = true\n";
    assert!(refused(text).starts_with("my.toml:4: `test_provider.enabled` is refused"));
    let allowed = format!("{text}allow_non_loopback = true\n");
    assert!(load_text(&allowed, &[]).unwrap().config.is_test_provider_enabled);
}

#[test]
fn the_four_label_variables_set_the_labels() {
    let labels = load_text(
        "",
        &[
            ("DEFAULT_PLAN", "Enterprise"),
            ("DEFAULT_DATA_SEGMENT", "scientific"),
            ("ENABLE_REGULATED_DOMAINS", "true"),
            ("DEFAULT_REGULATED_SEGMENT", "scientific"),
        ],
    )
    .unwrap()
    .config
    .labels;
    assert_eq!(labels.plan, Plan::Enterprise);
    assert_eq!(labels.segment, DataSegment::Scientific);
    assert!(labels.is_regulated_enabled);
    assert_eq!(labels.regulated_segment, DataSegment::Scientific);
    assert_eq!(load_text("", &[]).unwrap().config.labels, topdog_domain::labels::LabelDefaults::default());
}

#[test]
fn a_label_variable_outside_its_list_refuses_to_start() {
    for (name, value, allowed) in [
        ("DEFAULT_PLAN", "pro", "must be Starter, Pro or Enterprise"),
        ("DEFAULT_DATA_SEGMENT", "secret", "must be general, medical or scientific"),
        ("ENABLE_REGULATED_DOMAINS", "yes", "takes true or false"),
        ("DEFAULT_REGULATED_SEGMENT", "general", "must be medical or scientific"),
    ] {
        let message = refused_variable(name, value);
        assert!(
            message.starts_with(&format!("environment variable {name}: ")) && message.ends_with(allowed),
            "{message}"
        );
    }
}

#[test]
fn an_allow_rule_takes_networks_addresses_and_ports() {
    let text = "[[egress.allow]]\nnet = '10.0.0.0/8'\n[[egress.allow]]\nnet = '127.0.0.1'\nports = '80-90'\n\
                plain_http = true\n[[egress.allow]]\nnet = '::1'\nports = 8000\n";
    let rules = load_text(text, &[]).unwrap().config.egress.allow;
    assert_eq!((rules[0].ports.clone(), rules[0].plain_http), (None, false));
    assert_eq!((rules[1].ports.clone(), rules[1].plain_http), (Some(80..=90), true));
    assert_eq!((rules[1].net.prefix_len(), rules[2].net.prefix_len()), (32, 128));
    assert_eq!(rules[2].ports, Some(8000..=8000));
    assert!(refused("[[egress.allow]]\nnet = 'everything'\n").contains("not `everything`"));
    assert!(refused("[[egress.allow]]\nports = 1\n").contains("missing field `net`"));
}

#[test]
fn a_reference_is_resolved_where_it_points() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "from-a-file\n").unwrap();
    let environment = [("TOKEN", "from-the-environment")].into_iter().collect();
    let resolved = |text: &str| Reference::parse(text).unwrap().resolve(&environment);
    assert_eq!(resolved("env:TOKEN").unwrap(), "from-the-environment");
    assert_eq!(resolved(&format!("file:{}", path.display())).unwrap(), "from-a-file");
    assert_eq!(resolved("env:NONE").unwrap_err().to_string(), "the environment variable NONE is not set");
    assert_eq!(Reference::parse("sk-secret"), None);
}

#[test]
fn an_addresss_part_of_the_connections_follows_from_the_servers_size() {
    let part = |text: &str| load_text(text, &[]).unwrap().config.server.max_connections_per_ip;
    assert_eq!(part(""), 2500);
    assert_eq!(part("[server]\nmax_connections = 60\n"), 15);
    assert_eq!(part("[server]\nmax_connections = 2\n"), 1);
    assert_eq!(part("[server]\nmax_connections = 60\nmax_connections_per_ip = 50\n"), 50);
}

#[test]
fn an_organisations_part_follows_from_the_servers_size() {
    let limits = load_text("[server]\nmax_connections = 1000\n", &[]).unwrap().config.limits;
    assert_eq!(limits.max_concurrent_requests, 1000);
    assert_eq!(limits.max_concurrent_requests_per_organisation, 250);
    assert_eq!(limits.max_buffered_body_bytes, 512 << 20);
    assert_eq!(limits.max_buffered_body_bytes_per_organisation, 128 << 20);
    let large = load_text("[server]\nmax_body_bytes = 268435456\n", &[]).unwrap().config.limits;
    assert_eq!(large.max_buffered_body_bytes_per_organisation, 256 << 20, "one body always fits");
    let given = "[limits]\nmax_concurrent_requests = 9\nmax_concurrent_requests_per_organisation = 9\n";
    assert_eq!(load_text(given, &[]).unwrap().config.limits.max_concurrent_requests_per_organisation, 9);
    for key in ["max_buffered_body_bytes", "max_buffered_body_bytes_per_organisation"] {
        let said = refused(&format!("[limits]\n{key} = 1000\n"));
        assert!(said.contains(key) && said.contains("server.max_body_bytes"), "{said}");
    }
}
