//! Answers for people: tables and lists of whatever an answer holds.
//!
//! # Promises
//! Nothing of an answer is left out except columns that are empty throughout. Control characters,
//! which a peer may have chosen, do not reach the terminal.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::super::core::status::now_ms;

/// Widest table, its longest column of text left out; a wider one is printed as a list.
const MAX_TABLE_CHARS: usize = 130;

/// A column with a longer cell than this goes last, where a terminal may break its lines.
const MAX_CELL_CHARS: usize = 48;

/// Columns and fields that come first, in this order; the others follow by name.
const FIRST: [&str; 35] = [
    "id",
    "name",
    "validator",
    "version",
    "incarnation",
    "http",
    "well",
    "causes",
    "topic",
    "step",
    "process",
    "fact",
    "coin",
    "session",
    "attempt",
    "kind",
    "stage",
    "done",
    "waiting_for",
    "state",
    "connected",
    "proven",
    "managed",
    "pid",
    "restarts",
    "reason",
    "error",
    "last_end",
    "since_ms",
    "start",
    "facts",
    "processors",
    "signings",
    "serai",
    "network",
];

/// Numbers from here on are moments in milliseconds since the Unix epoch, smaller ones durations.
const FIRST_MOMENT_MS: u64 = 1_000_000_000_000;

/// The answer to the question `subject` as text that ends with a line end.
pub fn render(subject: &str, answer: &Value) -> String {
    let mut out = String::new();
    match (subject, answer) {
        ("config check", Value::Object(_)) => out.push_str("The configuration is sound.\n\n"),
        ("party", Value::Array(members)) => {
            let members: Vec<_> = members.iter().map(scalar).collect();
            return format!("{}\n", members.join(" "));
        }
        ("keys generate", Value::Object(fields))
            if fields.get("generated").is_some_and(|made| made == &Value::Array(Vec::new())) =>
        {
            return "All keys are there already; none was made.\n".to_owned();
        }
        (_, Value::Array(items)) if items.is_empty() => return none(subject),
        _ => {}
    }
    write_value(&mut out, answer, 0);
    out
}

fn none(subject: &str) -> String {
    match subject {
        "vaults" => "There are no vaults yet; `sessions` shows what is under way.\n".to_owned(),
        "sessions" => {
            "There are no sessions yet; `status` shows what the start waits for.\n".into()
        }
        "explain" => "Nothing is unfinished.\n".to_owned(),
        "peers" => "There are no other validators yet.\n".to_owned(),
        _ => "none\n".to_owned(),
    }
}

fn write_value(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(fields) => write_fields(out, fields, indent),
        Value::Array(items) if items.iter().all(Value::is_object) => {
            let rows: Vec<_> = items.iter().filter_map(Value::as_object).collect();
            write_rows(out, &rows, indent);
        }
        Value::Array(items) => {
            for item in items {
                if is_scalar(item) {
                    let _ = writeln!(out, "{:indent$}{}", "", scalar(item));
                } else {
                    write_value(out, item, indent);
                }
            }
        }
        value => {
            let _ = writeln!(out, "{:indent$}{}", "", scalar(value));
        }
    }
}

fn write_fields(out: &mut String, fields: &Map<String, Value>, indent: usize) {
    let keys = ordered(fields.keys().map(String::as_str));
    let width = keys
        .iter()
        .filter(|key| fields.get(**key).is_some_and(is_line))
        .map(|key| title(key).chars().count())
        .max()
        .unwrap_or(0);
    for key in keys {
        let Some(value) = fields.get(key) else { continue };
        if is_line(value) {
            let (title, cell) = (title(key), cell(key, value));
            let _ = writeln!(out, "{:indent$}{title:width$}  {cell}", "");
        } else {
            let _ = writeln!(out, "{:indent$}{}:", "", title(key));
            write_value(out, value, indent + 2);
        }
    }
}

fn write_rows(out: &mut String, rows: &[&Map<String, Value>], indent: usize) {
    let flat: Vec<Map<String, Value>> = rows.iter().map(|row| flatten(row)).collect();
    let used = flat.iter().flat_map(Map::iter).filter(|(_, value)| !value.is_null());
    let mut columns = ordered(used.map(|(key, _)| key.as_str()));
    let width = |column: &str| {
        let cells = flat.iter().filter_map(|row| row.get(column)).map(|v| cell(column, v));
        cells.chain([title(column)]).map(|text| text.chars().count()).max().unwrap_or(0)
    };
    columns.sort_by_key(|column| width(column) > MAX_CELL_CHARS);
    let widths: Vec<usize> = columns.iter().map(|column| width(column)).collect();
    let before_last = widths.iter().rev().skip(1).map(|width| width + 2).sum::<usize>();
    let is_table = flat.iter().flat_map(Map::values).all(is_line)
        && widths.iter().filter(|width| **width > MAX_CELL_CHARS).count() <= 1
        && indent + before_last + MAX_CELL_CHARS.min(widths.last().copied().unwrap_or(0))
            <= MAX_TABLE_CHARS;
    if !is_table {
        for (number, row) in rows.iter().enumerate() {
            if number > 0 {
                out.push('\n');
            }
            write_fields(out, row, indent);
        }
        return;
    }
    let head: Vec<String> = columns.iter().map(|column| title(column)).collect();
    let line = |row: &Map<String, Value>| -> Vec<String> {
        columns.iter().map(|key| row.get(*key).map_or(String::new(), |v| cell(key, v))).collect()
    };
    for cells in std::iter::once(head).chain(flat.iter().map(line)) {
        let mut text = String::new();
        for (cell, width) in cells.iter().zip(&widths) {
            let _ = write!(text, "{cell:width$}  ");
        }
        let _ = writeln!(out, "{:indent$}{}", "", text.trim_end());
    }
}

/// The row with its objects of plain values taken apart: `{"held": {"next": 7}}` has a column
/// `held next`.
fn flatten(row: &Map<String, Value>) -> Map<String, Value> {
    let mut flat = Map::new();
    for (key, value) in row {
        match value {
            Value::Object(inner) if !inner.is_empty() && inner.values().all(is_line) => {
                for (name, value) in inner {
                    flat.insert(format!("{key}_{name}"), value.clone());
                }
            }
            value => {
                flat.insert(key.clone(), value.clone());
            }
        }
    }
    flat
}

/// Each key once: those of [`FIRST`] first.
fn ordered<'a>(keys: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let rank = |key: &str| FIRST.iter().position(|first| *first == key).unwrap_or(FIRST.len());
    let mut keys: Vec<&str> = keys.collect();
    keys.sort_by(|a, b| rank(a).cmp(&rank(b)).then(a.cmp(b)));
    keys.dedup();
    keys
}

fn is_scalar(value: &Value) -> bool {
    !matches!(value, Value::Array(_) | Value::Object(_))
}

/// Whether the value fits on a line.
fn is_line(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.iter().all(is_scalar) && items.iter().all(|i| !is_sentence(i)),
        value => is_scalar(value),
    }
}

fn is_sentence(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.len() > 40)
}

fn title(key: &str) -> String {
    clean(key.strip_suffix("_ms").unwrap_or(key)).replace('_', " ")
}

fn cell(key: &str, value: &Value) -> String {
    match value {
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Object(_) => "none".to_owned(),
        Value::Array(items) => items.iter().map(scalar).collect::<Vec<_>>().join(", "),
        value => match value.as_u64() {
            Some(moment) if key.ends_with("_ms") && moment >= FIRST_MOMENT_MS => {
                format!("{} ago", span(now_ms().saturating_sub(moment)))
            }
            Some(duration) if key.ends_with("_ms") => span(duration),
            _ => scalar(value),
        },
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => clean(text),
        value => value.to_string(),
    }
}

fn span(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..120_000 => format!("{} s", ms / 1_000),
        120_000..7_200_000 => format!("{} min", ms / 60_000),
        7_200_000..172_800_000 => format!("{} h", ms / 3_600_000),
        _ => format!("{} d", ms / 86_400_000),
    }
}

fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_are_tables_with_what_matters_first() {
        let answer = json!([
            {"state": "ok", "coin": "btc", "reason": null, "since_ms": now_ms() - 5_000},
            {"state": "waiting", "coin": "eth", "reason": "no heartbeat", "since_ms": now_ms()},
        ]);
        let text = render("steps", &answer);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "coin  state    reason        since");
        assert_eq!(lines[1], "btc   ok       -             5 s ago");
        assert!(lines[2].starts_with("eth   waiting  no heartbeat  "), "{text}");
    }

    #[test]
    fn one_long_column_goes_last_and_objects_become_columns() {
        let answer = json!([
            {"a": "why ".repeat(20), "topic": "alice-btc", "held": {"next": 7}},
        ]);
        let text = render("topics", &answer);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "topic      held next  a", "{text}");
        assert!(lines[1].starts_with("alice-btc  7          why why"), "{text}");
        assert_eq!(render("status", &json!({"events": {}})), "events  none\n");
    }

    #[test]
    fn wide_rows_and_nested_values_are_lists() {
        let key = "ab".repeat(50);
        let answer = json!([{"coin": "btc", "key": key, "other": key}, {"coin": "eth"}]);
        let text = render("vaults", &answer);
        assert!(text.contains(&format!("coin   btc\nkey    {key}\n")), "{text}");
        let answer = json!({"name": "alice", "start": [{"step": "load keys", "state": "ok"}]});
        let text = render("status", &answer);
        assert_eq!(text, "name  alice\nstart:\n  step       state\n  load keys  ok\n");
    }

    #[test]
    fn what_is_empty_is_said_in_words() {
        assert!(render("vaults", &json!([])).starts_with("There are no vaults yet"));
        assert_eq!(render("party", &json!([3, 1, 2])), "3 1 2\n");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let text = render("peers", &json!([{"name": "a\u{1b}[2J", "b\u{7}": 1}]));
        assert!(!text.contains(['\u{1b}', '\u{7}']), "{text:?}");
    }

    proptest! {
        #[test]
        fn any_answer_is_rendered_whole(words in proptest::collection::vec("[a-z]{1,8}", 1..6)) {
            let answer = json!({"list": words, "rows": words.iter().map(|w| json!({"w": w}))
                .collect::<Vec<_>>(), "deep": {"er": {"still": words}}});
            let text = render("status", &answer);
            for word in &words {
                prop_assert!(text.matches(word.as_str()).count() >= 3, "{} is lost in {}", word, text);
            }
        }
    }
}
