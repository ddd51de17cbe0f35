use super::finding::Finding;
use crate::config::Config;
use bytes::Bytes;
use http::{Method, Request, header};
use topdog_domain::provider::ProviderName;
use topdog_egress::{AnswerLimits, Client, Egress, EgressError, EgressPolicy, roots_from_pem};

/// Reaches every provider as the server would, without a key: any answer shows that name, TLS and policy agree.
pub(super) async fn check(config: &Config) -> Vec<Finding> {
    let client = match client(config) {
        Ok(client) => client,
        Err(finding) => return vec![finding],
    };
    let mut findings = Vec::new();
    for (name, base_url) in &config.providers {
        findings.push(provider(&client, name, base_url).await);
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

async fn provider(client: &Client, name: &ProviderName, base_url: &str) -> Finding {
    const CHECK: &str = "provider";
    match reach(client, base_url).await {
        Ok(status) => {
            Finding::ok(CHECK, format!("{name} is reached at {base_url} (it says {status} without a key)"))
        }
        Err(error) => {
            let mend = format!("check providers.{name}.base_url, this machine's network, and egress.allow");
            Finding::fail(CHECK, format!("{name} is not reached at {base_url}: {error}"), mend)
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
