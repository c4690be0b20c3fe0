//! Modes at a desk: by the buttons of a board that was left on and stays on.

use std::sync::Arc;

use brickproof_bench::desk::mode::{self, Asked, Came, Entered, Unfit};
use brickproof_bench::desk::{self, Conversation, Purpose, Source};
use brickproof_boards::Target;
use brickproof_scenario::Library;
use brickproof_scenario::plan::Way;
use brickproof_units::Span;
use tokio::task::JoinSet;

use crate::desk::{at_hand, with_firmware};
use crate::rig::Rig;

/// Leaves the board's source on.
async fn leave_on(rig: &Rig) {
    let desk = at_hand(rig, Purpose::Power).await;
    desk.station.leave_safe_state("power on").expect("the journal can be written");
    desk::feed(&desk.station, None).await.expect("the supply works");
    desk.station.leave_on().expect("the journal can be written");
}

/// Enters a mode beside the source that was left on, and leaves the station as safe as that lets it be.
async fn enter(rig: &Rig, asked: &Asked) -> Entered {
    let desk = at_hand(rig, Purpose::Mode(asked.by)).await;
    assert_eq!(desk.source, Source::LeftOn);
    desk.station.leave_safe_state("enter").expect("the journal can be written");
    let entered = mode::enter(&desk.station, asked).await;
    desk.station.make_safe().await.expect("nothing fails");
    assert!(rig.model.is_on() && rig.model.asserted().is_empty() && rig.journal().exists());
    entered.expect("its instruments work")
}

fn way(rig: &Rig, mode: Target) -> Asked {
    mode::way(&rig.file, mode, None, None).expect("it has buttons")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_board_comes_to_the_mode_and_stays_in_it_with_its_power() {
    let mut running = JoinSet::new();
    for (mode, aim, light) in [
        (Target::Dfu, Span::millis(4_500), Some("the light dfu_mode")),
        (Target::Safe, Span::secs(2), None),
        (Target::Listening, Span::secs(4), Some("the light listening_mode")),
    ] {
        running.spawn(async move {
            let rig = Rig::new();
            with_firmware(&rig).await;
            leave_on(&rig).await;
            if mode == Target::Listening {
                // Its firmware reads the button, and has to run by then.
                let desk = at_hand(&rig, Purpose::Console).await;
                let heard = Conversation::begin(&desk.station).hear(Span::secs(10)).await;
                assert!(heard.unwrap().is_some());
            }
            let Entered { held, came } = enter(&rig, &way(&rig, mode)).await;
            let (hold, uncertainty) = held.expect("a button was held");
            assert!(hold + uncertainty >= aim && hold < aim + Span::secs(1), "{mode}: {hold}");
            match (came, light) {
                (Came::Confirmed { by, .. }, Some(light)) => assert_eq!(by, light),
                // Its board is not connected to the cloud that nobody plays.
                (Came::Unconfirmed(why), None) => assert!(why.contains("in a run alone"), "{why}"),
                (came, _) => panic!("{mode}: {came:?}"),
            }
        });
    }
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_board_that_does_not_come_to_it_is_told_with_what_was_seen() {
    let rig = Rig::new();
    leave_on(&rig).await;
    let asked = mode::way(&rig.file, Target::Dfu, Some(Way::Buttons), Some(Span::secs(1))).unwrap();
    let Came::NotSeen { wanted, seen } = enter(&rig, &asked).await.came else { panic!("nothing runs on it") };
    assert_eq!(wanted, "the light dfu_mode");
    assert!(seen.starts_with("its light: "), "{seen}");
}

#[test]
fn what_is_never_entered_or_has_no_way_is_known_before_anything_is_opened() {
    let mut rig = Rig::new();
    let ask = |rig: &Rig, mode, by, within| mode::way(&rig.file, mode, by, within).map(|asked| asked.by);
    let told = |answer: Result<Way, Unfit>| answer.expect_err("it is refused").to_string();
    rig.file.board = Arc::clone(Library::built_in().board("photon").expect("it ships"));
    for never in Target::NEVER_ENTERED {
        assert!(matches!(ask(&rig, never, None, None), Err(Unfit::NoMode { .. })), "{never}");
    }
    assert_eq!(ask(&rig, Target::Safe, None, None), Ok(Way::Buttons));
    insta::assert_snapshot!(told(ask(&rig, Target::Safe, None, Some(Span::secs(1)))), @"nothing confirms safe on photon: no light is known for it, and its id on USB is the usual one, so there is nothing to wait for");
    insta::assert_snapshot!(told(ask(&rig, Target::Safe, Some(Way::Baud), None)), @"`safe` of `photon` is not entered by `baud`");
    insta::assert_snapshot!(told(ask(&rig, Target::Dfu, Some(Way::Request), None)), @"desk has no way into dfu: it takes a `dfu`, through which its USB is reached");
    rig.file.instruments.remove(&brickproof_instruments::Kind::Light);
    insta::assert_snapshot!(told(ask(&rig, Target::Dfu, None, Some(Span::secs(1)))), @"nothing confirms dfu on desk: it has no `light` that sees dfu_mode and no `dfu`, so there is nothing to wait for");
}
