//! The stored form of a look at the file. Of the content only so much is kept as
//! the next alert shows as "before".

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::judge::restart::kind_name;
use crate::model::{Content, FileKind, FileView};
use crate::output::escape::hex;
use crate::parse::preload::Entry;
use crate::sys::file::attribute_word;

/// Bytes of the content that are kept.
const HEAD: usize = 4096;
/// Bytes of the names of libraries that are kept, all together.
const ENTRIES: usize = 8192;
/// Bytes of a reason that are kept.
const REASON: usize = 256;

/// A `FileView` in a state file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct StoredView {
    kind: String,
    device: u64,
    inode: u64,
    size: u64,
    mode: u32,
    uid: u32,
    gid: u32,
    links: u64,
    mtime: (u64, u32),
    ctime: (u64, u32),
    created: Option<(u64, u32)>,
    attributes: Vec<String>,
    xattrs: Option<String>,
    target: Option<String>,
    mounted: bool,
    in_upper: Option<bool>,
    content: StoredContent,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum StoredContent {
    Read {
        head: String,
        sha256: String,
        truncated: bool,
        entries: Vec<String>,
    },
    Unread(String),
}

impl StoredView {
    /// What is stored of `view`.
    #[must_use]
    pub fn of(view: &FileView) -> Self {
        Self {
            kind: kind_name(view.kind).to_owned(),
            device: view.device,
            inode: view.inode,
            size: view.size,
            mode: view.mode,
            uid: view.uid,
            gid: view.gid,
            links: view.links,
            mtime: seconds(view.mtime),
            ctime: seconds(view.ctime),
            created: view.created.map(seconds),
            attributes: view.attributes.iter().map(|&word| word.into()).collect(),
            xattrs: view.xattrs.as_ref().map(|digest| hex(digest)),
            target: view.target.as_ref().map(|target| STANDARD.encode(target)),
            mounted: view.mounted.is_some(),
            in_upper: view.in_upper,
            content: match &view.content {
                Ok(content) => read(content),
                Err(reason) => StoredContent::Unread(reason.chars().take(REASON).collect()),
            },
        }
    }

    /// The view again; `None` when a value is out of range.
    #[must_use]
    pub fn view(&self) -> Option<FileView> {
        Some(FileView {
            kind: kind(&self.kind)?,
            device: self.device,
            inode: self.inode,
            size: self.size,
            mode: self.mode,
            uid: self.uid,
            gid: self.gid,
            links: self.links,
            mtime: time(self.mtime)?,
            ctime: time(self.ctime)?,
            created: match self.created {
                Some(created) => Some(time(created)?),
                None => None,
            },
            attributes: words(&self.attributes)?,
            xattrs: match &self.xattrs {
                Some(digest) => Some(unhex(digest)?),
                None => None,
            },
            target: match &self.target {
                Some(target) => Some(STANDARD.decode(target).ok()?),
                None => None,
            },
            // Which mount it was means nothing any more.
            mounted: self.mounted.then_some(0),
            in_upper: self.in_upper,
            content: self.content.content()?,
        })
    }
}

impl StoredContent {
    fn content(&self) -> Option<Result<Content, String>> {
        Some(match self {
            Self::Unread(reason) => Err(reason.chars().take(REASON).collect()),
            Self::Read {
                head,
                sha256,
                truncated,
                entries,
            } => Ok(Content {
                head: STANDARD.decode(head).ok()?,
                sha256: unhex(sha256)?,
                truncated: *truncated,
                entries: entries
                    .iter()
                    .map(|raw| {
                        Some(Entry {
                            raw: STANDARD.decode(raw).ok()?,
                        })
                    })
                    .collect::<Option<_>>()?,
            }),
        })
    }
}

fn read(content: &Content) -> StoredContent {
    let mut room = ENTRIES;
    let entries = content.entries.iter().take_while(|entry| {
        let fits = entry.raw.len() <= room;
        room = room.saturating_sub(entry.raw.len());
        fits
    });
    let head = content.head.get(..HEAD).unwrap_or(&content.head);
    StoredContent::Read {
        head: STANDARD.encode(head),
        sha256: hex(&content.sha256),
        truncated: content.truncated,
        entries: entries.map(|entry| STANDARD.encode(&entry.raw)).collect(),
    }
}

fn kind(name: &str) -> Option<FileKind> {
    const ALL: [FileKind; 7] = [
        FileKind::Regular,
        FileKind::Directory,
        FileKind::Symlink,
        FileKind::Fifo,
        FileKind::Socket,
        FileKind::CharDevice,
        FileKind::BlockDevice,
    ];
    ALL.into_iter().find(|&kind| kind_name(kind) == name)
}

fn words(stored: &[String]) -> Option<Vec<&'static str>> {
    stored.iter().map(|word| attribute_word(word)).collect()
}

fn seconds(time: SystemTime) -> (u64, u32) {
    let since = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    (since.as_secs(), since.subsec_nanos())
}

fn time((seconds, nanos): (u64, u32)) -> Option<SystemTime> {
    // `Duration::new` panics when the nanoseconds carry the seconds over their end.
    let since = Duration::from_secs(seconds).checked_add(Duration::from_nanos(nanos.into()))?;
    SystemTime::UNIX_EPOCH.checked_add(since)
}

/// The digest that 64 hexadecimal digits spell.
#[must_use]
pub fn unhex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut digest = [0_u8; 32];
    for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(digest)
}
