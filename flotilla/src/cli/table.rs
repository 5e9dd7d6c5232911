//! What does a table for people look like?

use comfy_table::{Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, Table, Width, presets};
use flotilla_client::{OperationState, State};

use super::say;

/// A terminal that says it is narrower does not know how wide it is.
const WIDTH_CHARS_MIN: u16 = 40;

/// The last column has at least this: sentences of one word a line are not read.
const LAST_CHARS_MIN: u16 = 20;

/// Rows under a head. The last column fits the terminal and is broken into lines; the others, ids among them, stay whole.
pub fn rendered(head: &[&str], rows: Vec<Vec<Cell>>) -> String {
    let mut table = Table::new();
    let arrangement = match table.width() {
        Some(WIDTH_CHARS_MIN..) => ContentArrangement::Dynamic,
        Some(_) | None => ContentArrangement::Disabled,
    };
    table.load_style(presets::NOTHING).set_content_arrangement(arrangement).enforce_styling();
    table.set_header(head.iter().map(|name| Cell::new(name).fg(Color::DarkGrey)));
    table.add_rows(rows);
    let last = head.len().saturating_sub(1);
    let last_width = table.column_max_content_widths().pop().unwrap_or_default().min(LAST_CHARS_MIN);
    for (place, column) in table.column_iter_mut().enumerate() {
        let is_last = place == last;
        let constraint = if is_last { ColumnConstraint::LowerBoundary(Width::Fixed(last_width)) } else { ColumnConstraint::ContentWidth };
        column.set_padding((0, if is_last { 0 } else { 2 })).set_constraint(constraint);
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

/// Prints a table, or says that there is nothing in it.
pub fn show(head: &[&str], rows: Vec<Vec<Cell>>, nothing: &str) {
    if rows.is_empty() { say::aside(nothing) } else { say::line(&rendered(head, rows)) }
}

pub fn text(text: impl AsRef<str>) -> Cell {
    Cell::new(say::plain(text.as_ref()).replace(['\n', '\t'], " "))
}

/// What may be missing.
pub fn maybe(given: Option<impl AsRef<str>>) -> Cell {
    given.map_or_else(|| Cell::new("-"), text)
}

pub fn number(number: impl ToString) -> Cell {
    Cell::new(number.to_string()).set_alignment(CellAlignment::Right)
}

/// A count of what should not be.
pub fn bad_number(number: u64) -> Cell {
    let cell = self::number(number);
    if number > 0 { cell.fg(Color::Red) } else { cell }
}

pub fn state(state: &State) -> Cell {
    let cell = text(state.as_str());
    match state {
        State::Succeeded => cell.fg(Color::Green),
        State::Dead => cell.fg(Color::Red),
        State::Running => cell.fg(Color::Cyan),
        State::Waiting => cell.fg(Color::Yellow),
        State::Cancelled | State::Expired => cell.fg(Color::DarkGrey),
        _ => cell,
    }
}

pub fn operation_state(state: &OperationState) -> Cell {
    let cell = text(state.as_str());
    match state {
        OperationState::Succeeded => cell.fg(Color::Green),
        OperationState::Halted => cell.fg(Color::Red),
        _ => cell.fg(Color::Cyan),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_coloured() {
        let rows = vec![vec![text("a\tb"), number(7), state(&State::Dead)], vec![text("long one"), number(12_345), maybe(None::<String>)]];
        let shown = rendered(&["NAME", "N", "STATE"], rows);
        assert!(shown.contains("\u{1b}["), "{shown:?}");
        let bare = anstream::adapter::strip_str(&shown).to_string();
        let lines: Vec<&str> = bare.lines().map(str::trim_end).collect();
        assert_eq!(lines, ["NAME      N      STATE", "a b           7  dead", "long one  12345  -"]);
    }
}
