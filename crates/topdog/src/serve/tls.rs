use crate::config::TlsFiles;
use anyhow::Context as _;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::sync::Arc;

/// The public listener's TLS, HTTP/2 and HTTP/1.1 on offer.
pub(super) fn server_config(files: &TlsFiles) -> anyhow::Result<Arc<ServerConfig>> {
    let bad = |path: &std::path::Path, what| format!("{} holds no {what} in PEM form", path.display());
    let chain: Vec<_> = CertificateDer::pem_file_iter(&files.cert)
        .and_then(Iterator::collect)
        .with_context(|| bad(&files.cert, "certificate"))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).with_context(|| bad(&files.key, "private key"))?;
    let mut config =
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .with_context(|| {
                format!("{} and {} do not belong together", files.cert.display(), files.key.display())
            })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
