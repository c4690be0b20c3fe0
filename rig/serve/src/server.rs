//! Listening: connections in, each with its limits, until somebody has had enough.
//!
//! Boundary: sockets and their ends. What is answered is `pages`'.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::guard::{self, Guard};
use crate::live::Watchers;
use crate::pages::{self, Site};
use crate::runs::Shelf;
use crate::token::Token;

/// So many connections are served at a time; further ones wait to be accepted.
const CONNECTIONS: usize = 128;
/// A request's head has to be there within this time, and no connection is kept open longer for the next one.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// It is no longer than this, in bytes: addresses and cookies are short.
const LONGEST_HEAD: usize = 16 * 1024;
/// What is under way at the end may take so long.
const ENDS_WITHIN: Duration = Duration::from_secs(3);
/// When no connection can be accepted: one of those that are open has to end first.
const PAUSE: Duration = Duration::from_millis(100);

/// What is shown, and to whom.
#[derive(Debug)]
pub struct Options {
    /// Where runs and live news lie: `.brickproof`.
    pub folder: PathBuf,
    /// What whoever looks has to know. Must be there if others than this computer can reach the page.
    pub token: Option<Token>,
    /// Names besides addresses and `localhost` under which the page may be asked for.
    pub names: Vec<String>,
}

/// Why nothing can be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Others could look.
    #[error("{0} can be reached by other computers, and no token was given")]
    NoToken(SocketAddr),
    /// The address is not to be had.
    #[error("nobody can listen at {address}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// A page that is about to be served: it is listened for, and nobody is answered yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    options: Options,
}

impl Server {
    /// Begins to listen; port 0 is any that is free.
    ///
    /// # Errors
    /// [`ServeError`].
    pub async fn bind(address: SocketAddr, options: Options) -> Result<Self, ServeError> {
        if !guard::is_private(address) && options.token.is_none() {
            return Err(ServeError::NoToken(address));
        }
        let failed = |source| ServeError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address, options })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop` comes; then those who watch are let go, and what is under way is brought to its end.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let Options { folder, token, names } = self.options;
        let shelf = Arc::new(Shelf::new(&folder));
        let watchers = Watchers::begin(Arc::clone(&shelf));
        let site = Site { shelf, watchers: watchers.clone() };
        let guard = Arc::new(Guard::new(token, names));
        let router = pages::router(site).layer(middleware::from_fn_with_state(guard, guard::stand));
        let open = GracefulShutdown::new();
        let seats = Arc::new(Semaphore::new(CONNECTIONS));
        tokio::pin!(stop);
        loop {
            let (stream, seat) = tokio::select! {
                accepted = accept(&self.listener, &seats) => accepted,
                () = &mut stop => break,
            };
            serve_one(stream, seat, router.clone(), &open);
        }
        drop(self.listener);
        watchers.end();
        // What does not end by then is cut off.
        let _ = tokio::time::timeout(ENDS_WITHIN, open.shutdown()).await;
    }
}

async fn accept(listener: &TcpListener, seats: &Arc<Semaphore>) -> (TcpStream, OwnedSemaphorePermit) {
    loop {
        let seat = Arc::clone(seats).acquire_owned().await.expect("the seats are never taken away");
        match listener.accept().await {
            Ok((stream, _)) => return (stream, seat),
            // The other end is gone already, or there are no descriptors left.
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

fn serve_one(stream: TcpStream, seat: OwnedSemaphorePermit, router: Router, open: &GracefulShutdown) {
    let mut protocol = http1::Builder::new();
    protocol.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN).max_buf_size(LONGEST_HEAD);
    let service = TowerToHyperService::new(router);
    let connection = open.watch(protocol.serve_connection(TokioIo::new(stream), service));
    tokio::spawn(async move {
        // A connection that breaks is its other end's affair.
        let _: Result<(), hyper::Error> = connection.await;
        drop(seat);
    });
}
