//! A small web page over what runs now, what ran, and what came of it over time: server-rendered, for looking only.
//!
//! Boundary: it reads `.brickproof` and writes nothing there or anywhere else. What ran is `brickproof-report`'s to tell. This is the only
//! crate that listens on a network, so it says here what it holds against one:
//!
//! - It answers `GET` and `HEAD` and nothing else; there is no request that changes anything.
//! - It listens on this computer alone unless somebody says otherwise, and then everybody needs a token ([`Token`]): by `?token=` once, which
//!   becomes a cookie and leaves the address bar, or as a bearer. Tokens are compared in constant time and never written down.
//!   On loopback every user of this computer can read what it shows, unless a token is asked for there too.
//! - The connection is plain HTTP: whoever listens on the network in between reads along. Beyond a trusted network it belongs behind a tunnel
//!   (`ssh -L`) or a proxy that speaks TLS.
//! - A name that somebody else's site resolves to this computer is not answered (DNS rebinding): only addresses, `localhost`, and names given
//!   for it are.
//! - Everything from a board, a file or an address is text: escaped where it is put into a page, below a policy that lets no inline script or
//!   style run. Evidence comes as text or bytes to be saved, never as a page; a report, which has a script of its own, comes in a sandbox
//!   without an origin.
//! - Paths cannot leave the folder of the runs, not through links either.
//! - Connections, watchers, request heads, what is read of a file at a time, and what is listed are limited.

mod clock;
mod files;
mod guard;
mod live;
mod pages;
mod runs;
mod server;
mod token;

pub use server::{Options, ServeError, Server};
pub use token::{Token, TokenError};
