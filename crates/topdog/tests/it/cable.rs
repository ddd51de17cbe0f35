//! The network between the server and its database, which can be cut, or swallow everything without a word.

use crate::http::soon;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What a cable does with what it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cable {
    /// Carries it.
    Whole,
    /// Ends every connection, and takes no other.
    Cut,
    /// Carries it, each piece so much later.
    Slow(Duration),
    /// Keeps every connection, takes new ones, and carries nothing: as a machine that hangs.
    Silent,
}

/// A cable to a server; it lives on the test's runtime.
pub(crate) struct Wire {
    pub(crate) address: SocketAddr,
    state: watch::Sender<Cable>,
}

impl Wire {
    pub(crate) async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (state, present) = watch::channel(Cable::Whole);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, server, present.clone()));
            }
        });
        Self { address, state }
    }

    /// From now on.
    pub(crate) fn be(&self, state: Cable) {
        self.state.send_replace(state);
    }
}

#[expect(clippy::disallowed_methods, reason = "the test is the network, not the product")]
async fn carry(mut client: TcpStream, server: SocketAddr, mut state: watch::Receiver<Cable>) {
    let (mut from_client, mut from_server) = (Vec::new(), Vec::new());
    if *state.borrow_and_update() == Cable::Cut {
        return;
    }
    // Where nobody listens, the client hears no more than a connection that ends.
    let Ok(mut server) = soon(TcpStream::connect(server)).await else { return };
    for end in [&client, &server] {
        end.set_nodelay(true).unwrap();
    }
    loop {
        let present = *state.borrow_and_update();
        let (carries, delay) = match present {
            Cable::Whole => (true, Duration::ZERO),
            Cable::Slow(delay) => (true, delay),
            Cable::Cut | Cable::Silent => (false, Duration::ZERO),
        };
        let is_over = tokio::select! {
            changed = state.changed(), if present != Cable::Cut => changed.is_err(),
            read = client.read_buf(&mut from_client), if carries => {
                tokio::time::sleep(delay).await;
                !pass(read, &mut from_client, &mut server).await
            }
            read = server.read_buf(&mut from_server), if carries => {
                tokio::time::sleep(delay).await;
                !pass(read, &mut from_server, &mut client).await
            }
            else => true,
        };
        if is_over {
            return;
        }
    }
}

/// False where one end is gone.
async fn pass(read: std::io::Result<usize>, bytes: &mut Vec<u8>, to: &mut TcpStream) -> bool {
    let is_written = matches!(read, Ok(count) if count > 0) && to.write_all(bytes).await.is_ok();
    bytes.clear();
    is_written
}
