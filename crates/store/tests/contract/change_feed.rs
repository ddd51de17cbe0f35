use super::*;
use topdog_domain::OrgId;
use topdog_domain::ports::{Change, OrganisationChange};

contract! {
    each_change_is_announced_in_order,
    a_refused_change_is_not_announced,
    whoever_follows_misses_no_change_of_many_writers,
    loads_all_and_one,
}

async fn change(ports: &Ports, org: OrgId) {
    let change = OrganisationChange { tier: Some(samples::tier("PRO")), data_segment: None };
    let audit = samples::audit(org, "organisation.change");
    ports.organisations.organisation_change(org, &change, &audit).await.unwrap();
}

async fn each_change_is_announced_in_order(ports: &Ports) {
    let acme = add_organisation(ports, "acme").await.id;
    let other = add_organisation(ports, "other").await.id;
    let seq = ports.change_feed.newest_change().await.unwrap();
    assert!(ports.change_feed.changes_since(seq).await.unwrap().is_empty());
    for org in [other, acme, other] {
        change(ports, org).await;
    }
    let changes = ports.change_feed.changes_since(seq).await.unwrap();
    let orgs: Vec<_> = changes.iter().map(|change| change.org).collect();
    assert_eq!(orgs, [Some(other), Some(acme), Some(other)]);
    assert!(changes.is_sorted_by(|a, b| a.seq < b.seq));
    assert_eq!(ports.change_feed.newest_change().await.unwrap(), changes[2].seq);
    assert_eq!(ports.change_feed.changes_since(changes[1].seq).await.unwrap(), changes[2..]);
}

async fn a_refused_change_is_not_announced(ports: &Ports) {
    add_organisation(ports, "acme").await;
    let seq = ports.change_feed.newest_change().await.unwrap();
    let again = samples::organisation("acme", "PRO");
    let audit = samples::audit(again.organisation.id, "organisation.create");
    assert!(is_conflict(ports.organisations.organisation_create(&again, &audit).await));
    assert_eq!(ports.change_feed.newest_change().await.unwrap(), seq);
}

async fn whoever_follows_misses_no_change_of_many_writers(ports: &Ports) {
    const WRITERS: usize = 4;
    const CHANGES: usize = 10;
    let mut orgs = Vec::new();
    for number in 0..WRITERS {
        orgs.push(add_organisation(ports, &format!("org {number}")).await.id);
    }
    let mut at = ports.change_feed.newest_change().await.unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for org in orgs {
        let ports = ports.clone();
        writers.spawn(async move {
            for _ in 0..CHANGES {
                change(&ports, org).await;
            }
        });
    }
    let mut seen: Vec<Change> = Vec::new();
    let mut are_done = false;
    loop {
        let news = ports.change_feed.changes_since(at).await.unwrap();
        at = news.last().map_or(at, |change| change.seq);
        let is_quiet = news.is_empty();
        seen.extend(news);
        if are_done && is_quiet {
            break;
        }
        if !are_done {
            tokio::select! {
                done = writers.join_next() => are_done = done.inspect(|done| assert!(done.is_ok())).is_none(),
                () = tokio::task::yield_now() => {}
            }
        }
    }
    assert_eq!(seen.len(), WRITERS * CHANGES);
}

async fn loads_all_and_one(ports: &Ports) {
    let acme = add_organisation(ports, "acme").await;
    let other = add_organisation(ports, "other").await;
    let mut all = ports.change_feed.load_all().await.unwrap();
    all.sort_by_key(|facts| facts.organisation.id);
    let mut organisations = [acme.clone(), other];
    organisations.sort_by_key(|organisation| organisation.id);
    assert!(all.iter().map(|facts| &facts.organisation).eq(&organisations));
    assert!(all.iter().all(|facts| facts.workspaces.len() == 1));
    let one = ports.change_feed.load_org(acme.id).await.unwrap();
    assert_eq!(one.as_ref(), all.iter().find(|facts| facts.organisation == acme));
    assert_eq!(ports.change_feed.load_org(OrgId::new()).await.unwrap(), None);
}
