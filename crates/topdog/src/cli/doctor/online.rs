use super::finding::{Finding, Level};
use crate::config::{Config, Loaded, ProviderConfig, Source};
use bytes::Bytes;
use http::{Method, Request, header};
use tokio::task::JoinSet;
use topdog_egress::{AnswerLimits, Client, Egress, EgressError, EgressPolicy, roots_from_pem};

/// Reaches every provider as the server would, without a key: any answer shows that name, TLS and policy agree.
pub(super) async fn check(loaded: &Loaded) -> Vec<Finding> {
    let client = match client(&loaded.config) {
        Ok(client) => client,
        Err(finding) => return vec![finding],
    };
    // All at once: where the network is away, each takes its time to find that out.
    let mut checks = JoinSet::new();
    for (place, provider) in loaded.config.providers.iter().cloned().enumerate() {
        let client = client.clone();
        let source = loaded.settings.source(&format!("providers.{}.base_url", provider.name));
        checks.spawn(async move { (place, one(&client, &provider, source == Source::Default).await) });
    }
    let mut findings = checks.join_all().await;
    findings.sort_by_key(|(place, _)| *place);
    let mut findings: Vec<_> = findings.into_iter().map(|(_, finding)| finding).collect();
    if !findings.is_empty() && findings.iter().all(|finding| finding.level != Level::Ok) {
        let mend = "check this machine's network, and egress.allow";
        findings.push(Finding::fail("providers", "none is reached", mend));
    }
    findings
}

fn client(config: &Config) -> Result<Client, Finding> {
    const CHECK: &str = "egress.extra_ca_file";
    let mut policy = config.egress.allow.iter().cloned().fold(EgressPolicy::new(), EgressPolicy::allow);
    if let Some(file) = &config.egress.extra_ca_file {
        let pem = std::fs::read(file).map_err(|error| {
            Finding::fail(CHECK, format!("{} can't be read: {error}", file.display()), "correct the path")
        })?;
        let roots = roots_from_pem(&pem)
            .map_err(|error| Finding::fail(CHECK, error.to_string(), "put PEM certificates there"))?;
        policy = policy.trust_roots(roots);
    }
    let egress = Egress::new(policy)
        .map_err(|error| Finding::fail(CHECK, error.to_string(), "put PEM certificates there"))?;
    Ok(Client::new(egress))
}

/// One that the operator has not named may well be out of reach: nobody need have a key for it.
async fn one(client: &Client, provider: &ProviderConfig, is_default: bool) -> Finding {
    const CHECK: &str = "provider";
    let ProviderConfig { name, base_url, .. } = provider;
    match reach(client, base_url).await {
        Ok(status) => {
            Finding::ok(CHECK, format!("{name} is reached at {base_url} (it says {status} without a key)"))
        }
        Err(error) => {
            let found = format!("{name} is not reached at {base_url}: {error}");
            let mend = format!("check providers.{name}.base_url, this machine's network, and egress.allow");
            if is_default {
                let off = format!("{mend}; an empty base_url switches it off");
                Finding::warn(CHECK, found, off)
            } else {
                Finding::fail(CHECK, found, mend)
            }
        }
    }
}

async fn reach(client: &Client, base_url: &str) -> Result<u16, EgressError> {
    let base = client.egress().policy().check_base_url(base_url)?;
    let mut request = Request::new(Bytes::new());
    *request.method_mut() = Method::GET;
    *request.uri_mut() = base.join("/models")?;
    request.headers_mut().insert(header::ACCEPT, http::HeaderValue::from_static("application/json"));
    let answer = client.request(base.origin(), request, AnswerLimits::default()).await;
    match answer {
        Ok(answer) => Ok(answer.status().as_u16()),
        // It spoke, if at length.
        Err(EgressError::BodyTooLarge) => Ok(200),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{DEFAULTS, Environment, Sources, load};

    /// What is found where only these providers are on.
    async fn found(provider: &str) -> Vec<(Level, String)> {
        let folder = tempfile::tempdir().unwrap();
        let tables = DEFAULTS.lines().filter(|line| line.starts_with("[providers."));
        let off: String = tables.map(|table| format!("{table}\nbase_url = ''\n")).collect();
        let text = format!("{off}{provider}\n[[egress.allow]]\nnet = '127.0.0.1'\nplain_http = true\n");
        let file = folder.path().join("topdog.toml");
        std::fs::write(&file, text).unwrap();
        let sources = Sources { data_dir: folder.path().to_owned(), file: Some(file), flags: Vec::new() };
        let findings = check(&load(&sources, &Environment::default()).unwrap()).await;
        findings.into_iter().map(|finding| (finding.level, finding.found)).collect()
    }

    #[tokio::test]
    async fn a_provider_that_the_operator_named_and_none_reaches_is_a_failure() {
        // A port that nobody listens on: it was free a moment ago.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let found = found(&format!("[providers.mine]\nbase_url = 'http://{free}/v1'")).await;
        let levels: Vec<_> = found.iter().map(|(level, _)| *level).collect();
        assert_eq!(levels, [Level::Fail, Level::Fail], "{found:?}");
        assert!(found[0].1.starts_with("mine is not reached"), "{found:?}");
        assert_eq!(found[1].1, "none is reached");
    }

    #[tokio::test]
    async fn where_every_provider_is_off_nothing_is_amiss() {
        assert_eq!(found("").await, []);
    }
}
