//! The matrix of a scenario as a picture: a square for each cell, with a sign in it that needs no colour.
//!
//! Boundary: what is drawn is what `run --matrix` says in words.

use maud::{Markup, html};

use crate::matrix::{Cell, Matrix, Table};

/// The signs, in the order of their legend.
const SIGNS: [(Cell, &str, &str); 5] = [
    (Cell::Passed, "✓", "survived, as the scenario expects"),
    (Cell::Bricked, "B", "bricked, as the scenario expects"),
    (Cell::Failed, "✗", "failed: the scenario expects otherwise"),
    (Cell::Error, "!", "could not be carried out"),
    (Cell::Undecided, "?", "undecided"),
];

/// All of them, with one legend.
pub(super) fn grids(matrices: &[Matrix<'_>]) -> Markup {
    html! {
        @if !matrices.is_empty() {
            section.maps aria-label="Matrices" {
                h2 { "At a glance" }
                ul.legend {
                    @for (cell, sign, meaning) in SIGNS {
                        li { span class=(format!("cell {}", cell.word())) aria-hidden="true" { (sign) } " " (meaning) }
                    }
                }
                @for matrix in matrices { (one(matrix)) }
            }
        }
    }
}

fn one(matrix: &Matrix<'_>) -> Markup {
    html! {
        figure.matrix {
            figcaption { strong { (matrix.title) } " " span.path { (matrix.path) } }
            div.grids {
                @for (names, table) in &matrix.tables {
                    (grid(matrix, names, table))
                }
            }
        }
    }
}

fn grid(matrix: &Matrix<'_>, names: &[String], table: &Table) -> Markup {
    html! {
        table.grid {
            @if !matrix.others.is_empty() {
                caption { (matrix.others.join(" ")) ": " (names.join(", ")) }
            }
            thead {
                tr {
                    th.corner scope="col" { (matrix.down) " ↓ " (matrix.across) " →" }
                    @for column in &table.columns { th scope="col" { span { (column) } } }
                }
            }
            tbody {
                @for (row, name) in table.rows.iter().enumerate() {
                    tr {
                        th scope="row" { (name) }
                        @for (column, across) in table.columns.iter().enumerate() {
                            td { (square(matrix, table, (column, across), (row, name))) }
                        }
                    }
                }
            }
        }
    }
}

fn square(matrix: &Matrix<'_>, table: &Table, (column, across): (usize, &str), (row, down): (usize, &str)) -> Markup {
    let seen: Vec<Cell> = table.seen(column, row).collect();
    // The worst of several seeds gives the colour, and all of them the signs.
    let worst = seen.iter().copied().find(|cell| !cell.is_expected()).or(seen.first().copied());
    let signs: String = SIGNS.iter().filter(|(cell, ..)| seen.contains(cell)).map(|(_, sign, _)| *sign).collect();
    let words: Vec<&str> = seen.iter().map(|cell| cell.word()).collect();
    let told = format!("{} {across}, {} {down}: {}", matrix.across, matrix.down, words.join(", "));
    html! {
        @match worst {
            Some(worst) => {
                button type="button" class=(format!("cell {}", worst.word())) title=(told) aria-label=(told)
                    data-path=(matrix.path) data-across=(matrix.across) data-down=(matrix.down) data-column=(across) data-row=(down) {
                    (signs)
                }
            }
            None => span.cell.none title="there is no such trial" { "·" }
        }
    }
}
