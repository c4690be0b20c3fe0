//! The built command, as a person or a build server calls it: exit statuses, what is printed, what is kept.

#[path = "command/autopsy.rs"]
mod autopsy;
#[path = "command/benches.rs"]
mod benches;
#[path = "command/boards.rs"]
mod boards;
#[path = "command/campaigns.rs"]
mod campaigns;
#[path = "command/canary.rs"]
mod canary;
#[path = "command/desk.rs"]
mod desk;
#[path = "command/diagnose.rs"]
mod diagnose;
#[path = "command/documents.rs"]
mod documents;
#[path = "command/evidence.rs"]
mod evidence;
#[path = "command/exhaustive.rs"]
mod exhaustive;
#[path = "command/files.rs"]
mod files;
#[path = "command/github.rs"]
mod github;
#[path = "command/history.rs"]
mod history;
#[path = "command/history_told.rs"]
mod history_told;
#[path = "command/history_trouble.rs"]
mod history_trouble;
#[path = "command/hostile.rs"]
mod hostile;
#[path = "command/interruption.rs"]
mod interruption;
#[path = "command/keys.rs"]
mod keys;
#[path = "command/lines.rs"]
mod lines;
#[path = "command/live_page.rs"]
mod live_page;
#[path = "command/manual.rs"]
mod manual;
#[path = "command/matrices.rs"]
mod matrices;
#[path = "command/mistakes.rs"]
mod mistakes;
#[path = "command/mouthpiece.rs"]
mod mouthpiece;
#[path = "command/readme.rs"]
mod readme;
#[path = "command/replay.rs"]
mod replay;
#[path = "command/serve.rs"]
mod serve;
#[path = "command/soaks.rs"]
mod soaks;
#[path = "command/stations.rs"]
mod stations;
#[path = "command/terminal.rs"]
mod terminal;
#[path = "command/virtual_board.rs"]
mod virtual_board;
#[path = "command/words.rs"]
mod words;
