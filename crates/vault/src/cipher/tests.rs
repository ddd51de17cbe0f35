use super::*;

/// Key, nonce, associated data, plaintext, result.
fn vectors(text: &str) -> Vec<[Vec<u8>; 5]> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let fields: Vec<_> = line.split(' ').map(from_hex).collect();
            fields.try_into().unwrap()
        })
        .collect()
}

fn from_hex(text: &str) -> Vec<u8> {
    if text == "-" {
        return Vec::new();
    }
    assert!(text.len().is_multiple_of(2), "{text}");
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn answers_as_published(cipher: Cipher, text: &str, how_many: usize) {
    let vectors = vectors(text);
    assert_eq!(vectors.len(), how_many);
    for [key, nonce, aad, plaintext, result] in vectors {
        let key = Key::from_slice(&key).unwrap();
        let nonce = nonce.try_into().unwrap();
        let sealed = cipher.seal_with(&key, nonce, &aad, &plaintext).unwrap();
        assert_eq!(sealed[..NONCE_LEN], nonce);
        assert_eq!(sealed[NONCE_LEN..], result);
        assert_eq!(cipher.open_with(&key, &aad, &sealed).unwrap().expose(), plaintext);
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(cipher.open_with(&key, &aad, &changed).is_none());
            assert!(cipher.open_with(&key, &aad, &sealed[..at]).is_none());
        }
    }
}

#[test]
fn gcm_siv_answers_as_rfc_8452_says() {
    answers_as_published(Cipher::Aes256GcmSiv, include_str!("rfc8452.txt"), 20);
}

#[test]
fn gcm_answers_as_nist_says() {
    answers_as_published(Cipher::Aes256Gcm, include_str!("nist_gcm.txt"), 7);
}

#[test]
fn every_cipher_is_found_by_its_stored_name() {
    for cipher in [Cipher::Aes256GcmSiv, Cipher::Aes256Gcm] {
        assert_eq!(Cipher::from_name(cipher.name()), Some(cipher));
    }
    assert_eq!(Cipher::from_name("aes-256-cbc"), None);
    assert_eq!(Cipher::from_name(""), None);
}

#[test]
fn the_same_plaintext_never_seals_alike() {
    let key = Key::generate().unwrap();
    let aad = AssociatedData::blob(topdog_domain::OrgId::new(), "test", "aes-256-gcm-siv");
    let seal = || Cipher::Aes256GcmSiv.seal(&key, &aad, b"same").unwrap();
    assert_ne!(seal(), seal());
}
