//! A JSON object that grows field by field, and the twins of what was escaped.

use serde_json::{Map, Value};

use crate::output::escape::{base64, escape};

/// Longest text field shown, in bytes: a path of PATH_MAX fits.
const TEXT_CAP: usize = 4096;
/// Longest original kept as a twin, in bytes.
const TWIN_CAP: usize = 65_536;

/// An object under construction: what is absent leaves no field.
#[derive(Debug, Default)]
pub(super) struct Object(Map<String, Value>);

impl Object {
    pub(super) fn put(&mut self, key: &str, value: impl Into<Value>) {
        self.0.insert(key.to_owned(), value.into());
    }

    pub(super) fn put_some(&mut self, key: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.put(key, value);
        }
    }

    /// An array, also for one item; no field for none.
    pub(super) fn list<T: Into<Value>>(&mut self, key: &str, items: impl IntoIterator<Item = T>) {
        let items: Vec<Value> = items.into_iter().map(Into::into).collect();
        if !items.is_empty() {
            self.put(key, items);
        }
    }

    pub(super) fn nest(&mut self, key: &str, object: Self) {
        if !object.0.is_empty() {
            self.put(key, object.0);
        }
    }

    pub(super) fn into_map(self) -> Map<String, Value> {
        self.0
    }
}

/// Escapes texts and keeps the originals of those that could not be shown as they
/// are, under the name of their field.
#[derive(Debug, Default)]
pub(super) struct Twins(Object);

impl Twins {
    /// The printable form of `bytes`, for the field with the full name `field`.
    pub(super) fn text(&mut self, field: &str, bytes: &[u8]) -> String {
        let text = escape(bytes, TEXT_CAP);
        if text.altered {
            self.0.put(field, twin(bytes));
        }
        text.shown.into_owned()
    }

    /// As `text`, for an array. One item that had to be escaped gives all items a twin,
    /// so that both arrays have the same order.
    pub(super) fn texts<'a>(
        &mut self,
        field: &str,
        items: impl Iterator<Item = &'a [u8]> + Clone,
    ) -> Vec<String> {
        let mut altered = false;
        let mut shown = Vec::new();
        for item in items.clone() {
            let text = escape(item, TEXT_CAP);
            altered |= text.altered;
            shown.push(text.shown.into_owned());
        }
        if altered {
            self.0.list(field, items.map(twin));
        }
        shown
    }

    /// Keeps originals that are encoded already.
    pub(super) fn keep(&mut self, field: &str, originals: Vec<String>) {
        self.0.list(field, originals);
    }

    pub(super) fn into_object(self) -> Object {
        self.0
    }
}

fn twin(bytes: &[u8]) -> String {
    base64(bytes.get(..TWIN_CAP).unwrap_or(bytes))
}
