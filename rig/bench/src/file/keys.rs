//! What a station's keys have to do with the world outside: who is told of a new identity, and which server is the genuine one.
//!
//! Boundary: text and files in. That a server really accepts a key is for the program that tells it.

use std::fs;
use std::path::Path;

use brickproof_boards::BoardProfile;
use brickproof_keys::{Host, ServerAddress, Slot, SlotContent, check};
use brickproof_yaml::decode::Decoder;
use brickproof_yaml::tree::{Node, Value};
use brickproof_yaml::{Mistake, MistakeKind};

use super::setting;

/// What stands behind `keys` in a station.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StationKeys {
    /// A program and its arguments that has a server accept a new identity; it gets the public half as PEM.
    pub register: Option<Vec<String>>,
    /// The genuine server's slots: its key and its address.
    pub server: Option<[SlotContent; 2]>,
}

pub(super) fn read(
    decoder: &mut Decoder<'_>,
    node: &Node,
    board: Option<&BoardProfile>,
    folder: &Path,
) -> Option<StationKeys> {
    let fields = decoder.fields(node, "`keys`", &["register", "server"])?;
    let register = fields.get("register").map_or(Some(None), |node| program(decoder, node).map(Some));
    let server = fields.get("server").map_or(Some(None), |node| server(decoder, node, board, folder).map(Some));
    Some(StationKeys { register: register?, server: server? })
}

/// A program alone, or a list with its arguments.
fn program(decoder: &mut Decoder<'_>, node: &Node) -> Option<Vec<String>> {
    const WHAT: &str = "a program that registers a public key";
    if let Value::Text(_) = node.value {
        return Some(vec![setting::text(decoder, node, WHAT)?.to_owned()]);
    }
    let nodes = decoder.list(node, WHAT)?;
    if nodes.is_empty() {
        let none = Mistake::new(MistakeKind::Empty, node.place, "no program");
        decoder.report(none.help("write the program and its arguments, or remove the key"));
        return None;
    }
    let words: Vec<_> = nodes.iter().map(|node| setting::text(decoder, node, "a word").map(str::to_owned)).collect();
    words.into_iter().collect()
}

fn server(
    decoder: &mut Decoder<'_>,
    node: &Node,
    board: Option<&BoardProfile>,
    folder: &Path,
) -> Option<[SlotContent; 2]> {
    let fields = decoder.fields(node, "`server`", &["key", "address"])?;
    let key_node = fields.required(decoder, "key");
    let path = key_node.and_then(|node| setting::text(decoder, node, "the path of a file"));
    let address_node = fields.required(decoder, "address");
    let address = address_node.and_then(|node| address(decoder, node));
    let board = board?;
    let shapes = [Slot::ServerPublic, Slot::ServerAddress].map(|slot| board.keys.as_ref()?.shape(slot));
    let [Some(key_shape), Some(address_shape)] = shapes else {
        let message = format!("the profile of {} names no slots for a server", board.name);
        decoder.report(Mistake::new(MistakeKind::Misplaced, node.place, message));
        return None;
    };
    let (key_node, path) = (key_node?, folder.join(path?));
    let key = fs::read(&path)
        .map_err(|error| format!("{} could not be read: {error}", path.display()))
        // The command line tool of their maker has the address behind the key in one file: what follows the key is not a part of it.
        .map(|bytes| brickproof_keys::der_length(&bytes).map_or(bytes.clone(), |length| bytes[..length].to_vec()))
        .and_then(|der| SlotContent::shaped(key_shape, &der).map_err(|error| error.to_string()))
        .and_then(|key| match check(&key) {
            Ok(()) => Ok(key),
            Err(fault) => Err(format!("{} is not the key of a server: {fault}", path.display())),
        });
    let key = key.map_err(|why| decoder.report(Mistake::new(MistakeKind::UnknownValue, key_node.place, why))).ok()?;
    let address = address?.encode_in(address_shape);
    let address_place = address_node.map_or(node.place, |node| node.place);
    let wrong = |why: String| Mistake::new(MistakeKind::UnknownValue, address_place, why);
    let address = address.map_err(|error| decoder.report(wrong(error.to_string()))).ok()?;
    Some([key, address])
}

/// `host`, `host:port` or a numeric address.
fn address(decoder: &mut Decoder<'_>, node: &Node) -> Option<ServerAddress> {
    let text = setting::text(decoder, node, "the address of a server")?;
    let (host, port) = match text.rsplit_once(':') {
        None => (text, Some(None)),
        Some((host, port)) => (host, port.parse().ok().filter(|port| *port != 0 && *port != u16::MAX).map(Some)),
    };
    let Some(port) = port else {
        let wrong = Mistake::new(MistakeKind::UnknownValue, node.place, format!("`{text}` ends with no port"));
        decoder.report(wrong.help("write `host:port`, or the host alone for the usual port"));
        return None;
    };
    let host = host.parse().map_or_else(|_| Host::Domain(host.to_owned()), Host::Ipv4);
    Some(ServerAddress { host, port })
}
