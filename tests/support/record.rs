//! One line of the watcher's output, read as an analyst's tool would read it.

use serde_json::Value;

use super::PRELOAD;

/// The value of an ECS field, `None` when it is absent or null.
pub fn field<'a>(record: &'a Value, name: &str) -> Option<&'a Value> {
    let mut value = record;
    for key in name.split('.') {
        value = value.get(key)?;
    }
    (!value.is_null()).then_some(value)
}

/// A field's text; empty when it is absent or no text.
pub fn text<'a>(record: &'a Value, name: &str) -> &'a str {
    field(record, name)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// A field that is an array of texts.
pub fn texts<'a>(record: &'a Value, name: &str) -> Vec<&'a str> {
    let items = field(record, name).and_then(Value::as_array);
    items
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

/// The nonce stands in what the file holds, as the record tells it.
pub fn carries(record: &Value, nonce: &str) -> bool {
    ["ldwatch.content", "ldwatch.entries"]
        .iter()
        .filter_map(|name| field(record, name))
        .any(|value| value.to_string().contains(nonce))
}

/// It is an alert.
pub fn is_alert(record: &Value) -> bool {
    text(record, "event.kind") == "alert"
}

/// It says in every place that the writer is not of the changed container.
pub fn is_cross_boundary(record: &Value) -> bool {
    texts(record, "tags").contains(&"cross-boundary")
        && text(record, "event.reason").contains("cross-boundary")
        && field(record, "event.risk_score").and_then(Value::as_f64) == Some(83.0)
}

/// It tells of the file (and not of the watcher's own state).
pub fn is_about_the_file(record: &Value) -> bool {
    is_alert(record) || text(record, "file.path") == PRELOAD
}

/// What a record must say.
#[derive(Debug, Clone)]
pub struct Expect<'a> {
    /// `event.kind`
    pub kind: &'a str,
    /// The only `event.type`.
    pub change: &'a str,
    /// `event.action`
    pub action: &'a str,
    /// `event.risk_score`
    pub risk: Option<f64>,
    /// `container.id`
    pub container: &'a str,
    /// Must stand in the content or the entries; `None`: the file is gone.
    pub nonce: Option<&'a str>,
}

impl Expect<'_> {
    /// The first thing that is otherwise.
    pub fn check(&self, record: &Value) -> Result<(), String> {
        let said = |name: &str| field(record, name).map_or("nothing".into(), Value::to_string);
        let same = |name: &str, want: &str| {
            let got = said(name);
            if text(record, name) == want {
                return Ok(());
            }
            Err(format!("{name} is {got}, not {want:?}"))
        };
        same("event.kind", self.kind)?;
        same("container.id", self.container)?;
        same("event.action", self.action)?;
        if texts(record, "event.type") != [self.change] {
            let got = said("event.type");
            return Err(format!("event.type is {got}, not [{:?}]", self.change));
        }
        if self.risk.is_some()
            && field(record, "event.risk_score").and_then(Value::as_f64) != self.risk
        {
            let got = said("event.risk_score");
            return Err(format!("event.risk_score is {got}, not {:?}", self.risk));
        }
        match self.nonce {
            Some(nonce) if !carries(record, nonce) => Err(format!(
                "{nonce} is neither in the content nor in the entries"
            )),
            _ => Ok(()),
        }
    }
}
