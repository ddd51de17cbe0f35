use super::*;
use topdog_domain::provider::{Manner, ProviderApi};
use topdog_domain::tenant::ENDPOINTS_AT_MOST;

contract! {
    is_listed_by_name_as_it_was_made,
    a_name_is_taken_once,
    no_more_than_the_most_get_in_however_many_come_at_once,
    is_replaced_and_deleted_by_name,
    what_is_not_there_can_be_neither_replaced_nor_deleted,
}

async fn is_listed_by_name_as_it_was_made(ports: &Ports) {
    let org = add_organisation(ports, "acme").await.id;
    let other = add_organisation(ports, "other").await.id;
    let (mut b, mut a) = (samples::endpoint(org, "b"), samples::endpoint(org, "a"));
    a.manner = Manner::at(ProviderApi::Azure, "", Some("2024-10-21"), None).unwrap();
    b.manner = Manner::at(ProviderApi::Bedrock, "", None, Some("eu-central-1")).unwrap();
    b.is_keyless = true;
    b.models.clear();
    for endpoint in [&b, &a, &samples::endpoint(other, "c")] {
        let audit = samples::audit(endpoint.org, "endpoint.create");
        ports.endpoints.endpoint_create(endpoint, &audit).await.unwrap();
    }
    assert_eq!(ports.endpoints.endpoint_list(org).await.unwrap(), [a.clone(), b.clone()]);
    assert_eq!(ports.change_feed.load_org(org).await.unwrap().unwrap().endpoints, [a, b]);
}

async fn a_name_is_taken_once(ports: &Ports) {
    let org = add_organisation(ports, "acme").await.id;
    let first = samples::endpoint(org, "vllm");
    ports.endpoints.endpoint_create(&first, &samples::audit(org, "endpoint.create")).await.unwrap();
    let second = samples::endpoint(org, "vllm");
    let audit = samples::audit(org, "endpoint.create");
    assert!(is_conflict(ports.endpoints.endpoint_create(&second, &audit).await));
    assert_eq!(ports.endpoints.endpoint_list(org).await.unwrap(), [first]);
}

async fn is_replaced_and_deleted_by_name(ports: &Ports) {
    let org = add_organisation(ports, "acme").await.id;
    let mut endpoint = samples::endpoint(org, "vllm");
    ports.endpoints.endpoint_create(&endpoint, &samples::audit(org, "endpoint.create")).await.unwrap();
    endpoint.base_url = "http://10.0.0.7:8000/v1".to_owned();
    endpoint.models = vec!["a".to_owned(), "b".to_owned()];
    endpoint.manner = Manner::of(ProviderApi::Anthropic);
    ports.endpoints.endpoint_replace(&endpoint, &samples::audit(org, "endpoint.replace")).await.unwrap();
    assert_eq!(ports.endpoints.endpoint_list(org).await.unwrap(), [endpoint.clone()]);
    let audit = samples::audit(org, "endpoint.delete");
    ports.endpoints.endpoint_delete(org, &endpoint.name, &audit).await.unwrap();
    assert!(ports.endpoints.endpoint_list(org).await.unwrap().is_empty());
}

async fn what_is_not_there_can_be_neither_replaced_nor_deleted(ports: &Ports) {
    let org = add_organisation(ports, "acme").await.id;
    let endpoint = samples::endpoint(org, "vllm");
    let audit = samples::audit(org, "endpoint.replace");
    assert!(is_not_found(ports.endpoints.endpoint_replace(&endpoint, &audit).await));
    assert!(is_not_found(ports.endpoints.endpoint_delete(org, &endpoint.name, &audit).await));
    assert_eq!(ports.reader.audit_head(org).await.unwrap().0, 1);
}

async fn no_more_than_the_most_get_in_however_many_come_at_once(ports: &Ports) {
    let org = add_organisation(ports, "acme").await.id;
    let make = |n: u64| {
        let (ports, endpoint) = (ports.clone(), samples::endpoint(org, &format!("e{n}")));
        async move { ports.endpoints.endpoint_create(&endpoint, &samples::audit(org, "endpoint.create")).await }
    };
    for n in 0..ENDPOINTS_AT_MOST - 2 {
        make(n).await.unwrap();
    }
    let mut tasks = tokio::task::JoinSet::new();
    (0..8).for_each(|n| drop(tasks.spawn(make(ENDPOINTS_AT_MOST + n))));
    let made = tasks.join_all().await;
    assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 2);
    let is_full = |made: &&Result<(), PortError>| matches!(made, Err(PortError::LimitReached { used }) if *used == ENDPOINTS_AT_MOST);
    assert_eq!(made.iter().filter(is_full).count(), 6);
    assert_eq!(ports.endpoints.endpoint_list(org).await.unwrap().len() as u64, ENDPOINTS_AT_MOST);
    let audit = samples::audit(org, "endpoint.replace");
    ports.endpoints.endpoint_replace(&samples::endpoint(org, "e0"), &audit).await.unwrap();
}
