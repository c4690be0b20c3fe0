//! The engine alone, fed by hand: what must come and stay, what must not come, faults and their triggers, and whose fault it is.

#[path = "engine/blame.rs"]
mod blame;
#[path = "engine/bricks.rs"]
mod bricks;
#[path = "engine/ending.rs"]
mod ending;
#[path = "engine/faults.rs"]
mod faults;
#[path = "engine/keys.rs"]
mod keys;
#[path = "engine/laws.rs"]
mod laws;
#[path = "engine/seeing.rs"]
mod seeing;
#[path = "engine/station.rs"]
mod station;
#[path = "engine/transfers.rs"]
mod transfers;
