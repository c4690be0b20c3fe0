//! `brickproof serve`: a page of what runs now and what ran, until Ctrl-C.
//!
//! Boundary: from arguments to a server that listens. What it shows and whom it answers is `brickproof-serve`'s.

use brickproof_serve::{Options, ServeError, Server, Token};

use crate::arguments::Serve;
use crate::exit::{Exit, Problem};
use crate::{output, stations};

pub(crate) fn serve(arguments: &Serve) -> Result<Exit, Problem> {
    let (token, generated) = token(arguments)?;
    let told = generated.as_ref().map(|token| format!("?token={}", token.expose())).unwrap_or_default();
    let options = Options { folder: arguments.folder.clone(), token, names: arguments.name.clone() };
    stations::on_threads(async {
        let mut stop = stations::watch_signals();
        let server = Server::bind(arguments.listen, options).await.map_err(|error| failed(&error))?;
        output::line(&format!("http://{}/{told}", server.address()));
        output::note("Ctrl-C ends it");
        let stopped = async {
            // An error says that signals cannot be watched: then the first one ends it without being heard.
            if stop.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        server.run(stopped).await;
        Ok(Exit::Interrupted)
    })
}

/// What whoever looks has to know, and the same if it was made up here: then it has to be told.
fn token(arguments: &Serve) -> Result<(Option<Token>, Option<Token>), Problem> {
    if let Some(path) = &arguments.token_file {
        let text =
            std::fs::read_to_string(path).map_err(|source| Problem::Unreadable { path: path.clone(), source })?;
        let token = Token::new(&text).map_err(|error| Problem::Selection {
            what: format!("{} holds no token: {error}", path.display()),
            help: "without --token-file one is made and printed".to_owned(),
        })?;
        return Ok((Some(token), None));
    }
    if arguments.listen.ip().is_loopback() {
        return Ok((None, None));
    }
    let token = Token::generate().map_err(|error| Problem::Bench(vec![format!("no token can be made: {error}")]))?;
    Ok((Some(token.clone()), Some(token)))
}

fn failed(error: &ServeError) -> Problem {
    let source = std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default();
    Problem::Selection {
        what: format!("{error}{source}"),
        help: "--listen ADDRESS:PORT chooses another; port 0 is any that is free".to_owned(),
    }
}
