use crate::config::ServerConfig;
use anyhow::Context as _;
use socket2::{Domain, Protocol, Socket, Type};
use std::net::{SocketAddr, TcpListener};

/// Everything that listens, before anything serves.
pub(super) struct Listeners {
    /// One for each data-plane thread, all on the same address.
    pub(super) gateway: Vec<TcpListener>,
    /// For metrics and health.
    pub(super) admin: TcpListener,
    /// Where the gateway listens.
    pub(super) gateway_address: SocketAddr,
    /// Where metrics and health listen.
    pub(super) admin_address: SocketAddr,
}

impl Listeners {
    /// Listens on the configured addresses.
    pub(super) fn bind(server: &ServerConfig, admin: SocketAddr) -> anyhow::Result<Self> {
        let workers =
            server.workers.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, Into::into));
        Self::on(server.listen, workers, admin)
    }

    fn on(wanted: SocketAddr, workers: usize, admin: SocketAddr) -> anyhow::Result<Self> {
        require_free(wanted).with_context(|| hint("server.listen", wanted))?;
        let (first, address) = listen(wanted, workers > 1).with_context(|| hint("server.listen", wanted))?;
        let mut gateway = vec![first];
        for _ in 1..workers {
            gateway.push(listen(address, true).with_context(|| hint("server.listen", address))?.0);
        }
        let (admin, admin_address) = listen(admin, false).with_context(|| hint("admin.listen", admin))?;
        Ok(Self { gateway, admin, gateway_address: address, admin_address })
    }
}

/// The kernel would let a second server of the same user join those who share an address, and each would get some of the
/// other's requests: whoever shares it makes sure first that nobody listens there. A port that is still in the last
/// connections of a server that has ended is free.
fn require_free(address: SocketAddr) -> std::io::Result<()> {
    let alone = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    alone.set_reuse_address(true)?;
    alone.bind(&address.into())
}

/// The kernel spreads connections over the threads that share an address; one thread needs no sharing, and
/// then no other process can join in either.
fn listen(address: SocketAddr, is_shared: bool) -> std::io::Result<(TcpListener, SocketAddr)> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if is_shared {
        socket.set_reuse_port(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    let listener = TcpListener::from(socket);
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Connections that wait to be accepted; the kernel caps it at its own limit.
const BACKLOG: i32 = 4096;

fn hint(setting: &str, address: SocketAddr) -> String {
    format!("can't listen on {address}; choose another with the setting {setting}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_share_one_free_port() {
        let any = "127.0.0.1:0".parse().unwrap();
        let (first, address) = listen(any, true).unwrap();
        let (second, same) = listen(address, true).unwrap();
        assert_ne!(address.port(), 0);
        assert_eq!(address, same);
        drop((first, second));
    }

    #[test]
    fn a_port_that_is_shared_already_is_not_joined_by_another_server() {
        let any_port = "127.0.0.1:0".parse().unwrap();
        let server = |wanted| Listeners::on(wanted, 2, any_port);
        let first = server(any_port).unwrap();
        let second = server(first.gateway_address).err().unwrap();
        assert!(format!("{second:#}").contains("can't listen on 127.0.0.1:"), "{second:#}");
        // Also where the other has all addresses of the machine.
        let any = SocketAddr::from(([0, 0, 0, 0], first.gateway_address.port()));
        assert!(server(any).is_err());
        let address = first.gateway_address;
        drop(first);
        server(address).unwrap();
    }

    #[test]
    fn a_port_that_is_not_shared_is_ours_alone() {
        let any = "127.0.0.1:0".parse().unwrap();
        let (_first, address) = listen(any, false).unwrap();
        assert!(listen(address, false).is_err());
        assert!(listen(address, true).is_err());
    }
}
