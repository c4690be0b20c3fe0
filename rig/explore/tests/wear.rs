//! What the flash of a soak's boards may take: the edges of it.

use brickproof_explore::{
    Ask, Budget, Campaign, Class, Course, Erased, Finding, Kind, Repeats, SoakBoards, SoakSettings, Wear, picture,
};

fn soak(wear: Option<Wear>, boards: Option<SoakBoards>) -> Campaign {
    let kind = Kind::Soak(SoakSettings { cycles: 100, stop_at_failures: None, wear, boards });
    Campaign { title: "T".to_owned(), kind, seed: 1, budget: Budget::default() }
}

/// What a journal says of erases is read back and summed: it may be any number.
#[test]
fn erases_beyond_counting_wear_a_board_out_and_break_nothing() {
    let wear = Wear { endurance: u64::MAX - 1, per_cycle: Vec::new() };
    for (wear, over_after) in [(None, 100), (Some(wear), 1)] {
        let mut course = Course::new(soak(wear, None), Repeats::Exactly).expect("it can be asked");
        let mut made = 0;
        while let Ask::Shot(_) = course.ask() {
            made += 1;
            let erased = vec![Erased { sector: "x".to_owned(), times: u64::MAX }];
            course.record(&Finding { erased, ..Finding::new(Class::Survived) });
        }
        assert_eq!(made, over_after, "{}", course.answer().text);
        let drawn = picture::text(&course, 40).expect("cycles were made");
        assert!(drawn.contains("18446744073709551615 erases"), "{drawn}");
    }
}

#[test]
fn what_no_flash_bears_or_no_board_can_show_is_refused() {
    let refused = |wear, boards| {
        let refused = Course::new(soak(Some(wear), boards), Repeats::Exactly).expect_err("it cannot be asked");
        refused.to_string()
    };
    let dear = Wear { endurance: 3, per_cycle: vec![Erased { sector: "keys".to_owned(), times: 4 }] };
    assert_eq!(refused(dear.clone(), None), "a cycle erases keys 4 times, and it may see 3");
    assert!(refused(Wear { endurance: 9, ..dear }, Some(SoakBoards::New)).contains("each cycle has a new board"));
}
