//! A JSON object that grows field by field, and the twins of what was escaped.
//!
//! It borrows from the record wherever a text can be shown as it is: an alert is
//! written while somebody waits for it, and most of its cost would be copies.

use std::borrow::Cow;

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::output::escape::{base64, escape};

/// Longest text field shown, in bytes: a path of PATH_MAX fits.
const TEXT_CAP: usize = 4096;
/// Longest original kept as a twin, in bytes.
const TWIN_CAP: usize = 65_536;

/// A value in an object under construction.
#[derive(Debug)]
pub(super) enum Node<'a> {
    Text(Cow<'a, str>),
    Whole(u64),
    Signed(i64),
    Float(f64),
    Flag(bool),
    List(Vec<Node<'a>>),
    Object(Object<'a>),
    /// An object that is the same in many records.
    Shared(&'a Object<'static>),
}

/// An object under construction: what is absent leaves no field. The caller puts each
/// key once.
#[derive(Debug, Default)]
pub(super) struct Object<'a>(Vec<(Cow<'a, str>, Node<'a>)>);

impl<'a> Object<'a> {
    pub(super) fn put(&mut self, key: impl Into<Cow<'a, str>>, value: impl Into<Node<'a>>) {
        self.0.push((key.into(), value.into()));
    }

    pub(super) fn put_some(&mut self, key: &'a str, value: Option<impl Into<Node<'a>>>) {
        if let Some(value) = value {
            self.put(key, value);
        }
    }

    /// An array, also for one item; no field for none.
    pub(super) fn list<T: Into<Node<'a>>>(
        &mut self,
        key: impl Into<Cow<'a, str>>,
        items: impl IntoIterator<Item = T>,
    ) {
        let items: Vec<Node<'a>> = items.into_iter().map(Into::into).collect();
        if !items.is_empty() {
            self.put(key, Node::List(items));
        }
    }

    pub(super) fn nest(&mut self, key: &'a str, object: Self) {
        if !object.0.is_empty() {
            self.put(key, Node::Object(object));
        }
    }
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl Serialize for Node<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Whole(number) => serializer.serialize_u64(*number),
            Self::Signed(number) => serializer.serialize_i64(*number),
            Self::Float(number) => serializer.serialize_f64(*number),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::List(items) => serializer.collect_seq(items),
            Self::Object(object) => object.serialize(serializer),
            Self::Shared(object) => object.serialize(serializer),
        }
    }
}

macro_rules! node_from {
    ($($from:ty => |$value:ident| $node:expr;)*) => {
        $(impl<'a> From<$from> for Node<'a> {
            fn from($value: $from) -> Self {
                $node
            }
        })*
    };
}

node_from! {
    &'a str => |value| Self::Text(Cow::Borrowed(value));
    String => |value| Self::Text(Cow::Owned(value));
    Cow<'a, str> => |value| Self::Text(value);
    u8 => |value| Self::Whole(value.into());
    u64 => |value| Self::Whole(value);
    i32 => |value| Self::Signed(value.into());
    i64 => |value| Self::Signed(value);
    f64 => |value| Self::Float(value);
    bool => |value| Self::Flag(value);
    Object<'a> => |value| Self::Object(value);
    &'a Object<'static> => |value| Self::Shared(value);
}

/// Escapes texts and keeps the originals of those that could not be shown as they
/// are, under the full name of their field.
#[derive(Debug, Default)]
pub(super) struct Twins<'a>(Object<'a>);

impl<'a> Twins<'a> {
    /// The printable form of `bytes`, for the field `key` of the object `at`.
    pub(super) fn text(&mut self, at: &str, key: &str, bytes: &'a [u8]) -> Cow<'a, str> {
        let text = escape(bytes, TEXT_CAP);
        if text.altered {
            self.0.put(format!("{at}.{key}"), twin(bytes));
        }
        text.shown
    }

    /// As `text`, for an array. One item that had to be escaped gives all items a twin,
    /// so that both arrays have the same order.
    pub(super) fn texts(
        &mut self,
        at: &str,
        key: &str,
        items: impl Iterator<Item = &'a [u8]> + Clone,
    ) -> Vec<Cow<'a, str>> {
        let mut altered = false;
        let mut shown = Vec::new();
        for item in items.clone() {
            let text = escape(item, TEXT_CAP);
            altered |= text.altered;
            shown.push(text.shown);
        }
        if altered {
            self.keep(at, key, items.map(twin).collect());
        }
        shown
    }

    /// Keeps originals that are encoded already.
    pub(super) fn keep(&mut self, at: &str, key: &str, originals: Vec<String>) {
        self.0.list(format!("{at}.{key}"), originals);
    }

    pub(super) fn into_object(self) -> Object<'a> {
        self.0
    }
}

fn twin(bytes: &[u8]) -> String {
    base64(bytes.get(..TWIN_CAP).unwrap_or(bytes))
}
