//! From a host name to addresses, nothing more: what the answers are worth is policy's business.

use std::io;
use std::net::SocketAddr;

use async_trait::async_trait;

/// Finds the addresses of a host name.
#[async_trait]
pub trait Resolve: Send + Sync {
    /// Every address of the name, each with the port, in the order to try them.
    ///
    /// # Errors
    /// When the name has none or the resolver does not answer.
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// The operating system's resolver, with its search list, hosts file and address order.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolve for SystemResolver {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }
}
