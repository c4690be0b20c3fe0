//! What a station's gateway does with a board that has a cloud of its own: everything through, nothing, or a refusal.
//!
//! Boundary: from a cloud's behaviour to blocked flows. A gateway cannot answer in a cloud's place, nor make it slower than it is by order.

use brickproof_boards::{BoardProfile, Transport};
use brickproof_instruments::{self as instruments, Block, Fate, Flow};
use brickproof_scenario::plan::CloudBehaviour;

/// What a board exchanges with its cloud, if its profile tells.
pub(crate) fn flow_of(board: &BoardProfile) -> Option<Flow> {
    let cloud = board.cloud.as_ref()?;
    let transport = match cloud.transport {
        Transport::Tcp => instruments::Transport::Tcp,
        Transport::Udp => instruments::Transport::Udp,
    };
    Some(Flow { transport: Some(transport), port: Some(cloud.port) })
}

/// What is blocked for a cloud to seem so; `None` if no gateway can do that.
pub(crate) fn blocks(behaviour: CloudBehaviour, flow: Flow) -> Option<Vec<Block>> {
    match behaviour {
        CloudBehaviour::Genuine => Some(Vec::new()),
        CloudBehaviour::Silent => Some(vec![Block { flow, fate: Fate::Dropped }]),
        CloudBehaviour::Unreachable => Some(vec![Block { flow, fate: Fate::Rejected }]),
        CloudBehaviour::Wrong => None,
    }
}

#[cfg(test)]
mod tests {
    use brickproof_boards::Shelf;

    use super::*;

    #[test]
    fn a_boards_cloud_is_what_its_profile_says() {
        let shelf = Shelf::shipped();
        let flow = |board: &str| flow_of(shelf.board(board).expect("it ships"));
        let udp = Flow { transport: Some(instruments::Transport::Udp), port: Some(5684) };
        let tcp = Flow { transport: Some(instruments::Transport::Tcp), port: Some(5683) };
        assert_eq!((flow("argon"), flow("photon"), flow("microbit")), (Some(udp), Some(tcp), None));
    }

    #[test]
    fn a_gateway_blocks_and_cannot_forge() {
        let flow = Flow { transport: None, port: Some(1) };
        let fate =
            |behaviour| blocks(behaviour, flow).map(|blocks| blocks.iter().map(|it| it.fate).collect::<Vec<_>>());
        assert_eq!(fate(CloudBehaviour::Genuine), Some(vec![]));
        assert_eq!(fate(CloudBehaviour::Silent), Some(vec![Fate::Dropped]));
        assert_eq!(fate(CloudBehaviour::Unreachable), Some(vec![Fate::Rejected]));
        assert_eq!(fate(CloudBehaviour::Wrong), None);
    }
}
