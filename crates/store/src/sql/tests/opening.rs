use super::super::{OpenError, Store, StoreOptions};
use super::bed::Bed;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;
use topdog_domain::ports::{Organisations as _, PortError};

#[tokio::test]
async fn the_files_are_their_owner_s_only() {
    let bed = Bed::sqlite().await;
    bed.organisation("acme").await;
    let files = bed.files();
    assert!(files.len() > 1, "the log is there too: {files:?}");
    for file in files {
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file:?}");
    }
}

#[tokio::test]
async fn what_was_kept_is_there_when_opened_again() {
    let bed = Bed::sqlite().await;
    let org = bed.organisation("acme").await;
    bed.store.close().await;
    assert!(matches!(bed.store.ping().await, Err(PortError::Unavailable(_))));
    assert_eq!(bed.files().len(), 1, "closing folds the log into the file");
    let again = bed.another().await;
    again.ping().await.unwrap();
    assert_eq!(again.organisation_find_by_name("acme").await.unwrap(), Some(org));
}

#[tokio::test]
async fn a_bare_path_is_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("topdog.db");
    let store = Store::open(path.to_str().unwrap(), &StoreOptions::default()).await.unwrap();
    store.ping().await.unwrap();
}

#[tokio::test]
async fn an_address_that_is_not_understood_is_refused() {
    for url in ["mysql://root@localhost/x", "", "sqlite://", ":memory:", "sqlite::memory:"] {
        let refused = Store::open(url, &StoreOptions::default()).await.map(|_| ());
        assert!(matches!(refused, Err(OpenError::BadAddress)), "{url}: {refused:?}");
    }
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_named() {
    let refused = Store::open("sqlite:///nowhere/at/all.db", &StoreOptions::default()).await.map(|_| ());
    let message = refused.unwrap_err().to_string();
    assert!(message.contains("/nowhere/at/all.db"), "{message}");
}

#[tokio::test]
async fn no_error_shows_the_password() {
    let options = StoreOptions { acquire_timeout: Duration::from_millis(300), ..StoreOptions::default() };
    for url in ["postgres://td:hunter2@127.0.0.1:1/td", "postgres://td:hunter2@[::/td"] {
        let error = Store::open(url, &options).await.map(|_| ()).unwrap_err();
        let mut told = format!("{error:?} {error}");
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            told.push_str(&error.to_string());
            cause = error.source();
        }
        assert!(!told.contains("hunter2"), "{told}");
    }
}
