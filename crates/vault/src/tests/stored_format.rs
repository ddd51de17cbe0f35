//! Rows that were stored once must open for ever: a change of the associated data or of a layer would break them.

use topdog_domain::ports::{SealedSecret, WrappedOrgKey, WrappedRoot};

use super::*;
use crate::aad::Content;
use crate::envelope::{open_secret, unwrap_installation, unwrap_org_key};

const ORG_KEY: &str = "90682bde0c45eccd56a51dbd507c59d5640a7f4a3d2507c5a6c8acfc3a438b9897f750b7236a5b17b7729194fab311f24ca13c21c363a107f1d1b31c";
const DATA_KEY: &str = "d9780b65a2d5b5c70b5a236d60b96267a212d1e6d7f4a044921744d8b2a6d0587d2d0218a82ff77159c1d146b67192bdf4b6c58fa31b2d09450885ef";
const SECRET: &str =
    "62de6861e2416eebe9f3253fd65b8fabc0a955f21f0282b280e37364c6b4e411e0dba81c1886f66b5e4273348bd6";
const PEPPER: &str = "cfa86c312ba715fe76f81d883914524ce00eeb27f5d4d7d152570fad6fef3cdb05fc";

fn from_hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

#[test]
fn rows_of_the_first_release_still_open() {
    let root = RootKeyring::from_text("BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=").unwrap();
    let org: OrgId = "org_0199d0000000700080000000000000aa".parse().unwrap();
    let slot = Slot {
        org,
        provider_key: "pk_0199d0000000700080000000000000bb".parse().unwrap(),
        version: 3,
        provider: ProviderName::openai(),
        origin: "https://api.openai.com".to_owned(),
    };
    let org_key = WrappedOrgKey {
        org,
        version: 2,
        root_id: "root".to_owned(),
        root_version: 1,
        alg: "aes-256-gcm-siv".to_owned(),
        wrapped: from_hex(ORG_KEY),
        created_at: NOW,
    };
    let secret = SealedSecret {
        org,
        provider_key: slot.provider_key,
        version: slot.version,
        provider: slot.provider.clone(),
        origin: slot.origin.clone(),
        org_key_version: 2,
        alg: "aes-256-gcm-siv".to_owned(),
        wrapped_data_key: from_hex(DATA_KEY),
        ciphertext: from_hex(SECRET),
    };
    let org_key = unwrap_org_key(&root, org, &org_key).unwrap();
    assert_eq!(open_secret(&org_key, &slot, Content::Key, &secret).unwrap().expose(), "sk-stored-long-ago");

    let pepper = WrappedRoot {
        name: "api-key-pepper".to_owned(),
        version: 1,
        root_id: "root".to_owned(),
        root_version: 1,
        alg: "aes-256-gcm-siv".to_owned(),
        wrapped: from_hex(PEPPER),
    };
    let opened = unwrap_installation(&root, "api-key-pepper", &pepper).unwrap();
    assert_eq!(opened.expose(), b"pepper");
}
