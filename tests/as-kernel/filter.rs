//! The table as a seccomp filter: classic BPF, one block for each thing refused.

#![allow(unsafe_code)]

use std::io::{Error, Result};
use std::mem::offset_of;

use libc::{BPF_ABS, BPF_ALU, BPF_AND, BPF_JEQ, BPF_JGT, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W};
use libc::{seccomp_data, sock_filter};

use crate::table::{ARGUMENTS, Profile, VALUES};

/// What a word of the call's description must be.
struct Word {
    offset: u32,
    mask: u32,
    /// `None`: any of the mask's bits.
    value: Option<u32>,
}

/// A call by its number, and the words that must all fit.
struct Block {
    number: libc::c_long,
    words: Vec<Word>,
    errno: i32,
}

/// Installs it for this thread and what it starts, for ever.
pub fn install(profile: Option<&Profile>, no_bpf: bool) -> Result<()> {
    let mut program = prologue(profile)?;
    let refused = profile.map(of_profile).unwrap_or_default();
    let blind = if no_bpf { bpf_and_audit() } else { Vec::new() };
    for block in refused.iter().chain(&blind) {
        program.extend(assemble(block)?);
    }
    program.push(statement(BPF_RET | BPF_K, libc::SECCOMP_RET_ALLOW));
    load(&mut program)
}

fn of_profile(profile: &Profile) -> Vec<Block> {
    let mut blocks = Vec::new();
    for argument in ARGUMENTS {
        let unknown = argument.unknown(profile.version);
        for (half, shift) in [(0, 0), (4, 32)] {
            let mask = u32::try_from((unknown >> shift) & 0xffff_ffff).unwrap_or(u32::MAX);
            let offset = argument_offset(argument.index) + half;
            let any = Word {
                offset,
                mask,
                value: None,
            };
            blocks.push(Block {
                number: argument.number,
                words: vec![any],
                errno: argument.errno,
            });
        }
    }
    let later = VALUES.iter().filter(|value| value.since > profile.version);
    blocks.extend(later.map(|value| Block {
        number: value.number,
        words: vec![Word {
            offset: argument_offset(value.index),
            mask: value.mask,
            value: Some(value.value),
        }],
        errno: value.errno,
    }));
    blocks
}

fn bpf_and_audit() -> Vec<Block> {
    let whole = |number| Block {
        number,
        words: Vec::new(),
        errno: libc::EPERM,
    };
    let is = |index, value: i32| Word {
        offset: argument_offset(index),
        mask: u32::MAX,
        value: Some(value.unsigned_abs()),
    };
    let audit = Block {
        number: libc::SYS_socket,
        words: vec![is(0, libc::AF_NETLINK), is(2, libc::NETLINK_AUDIT)],
        errno: libc::EPERM,
    };
    vec![
        whole(libc::SYS_bpf),
        whole(libc::SYS_perf_event_open),
        audit,
    ]
}

/// The low half of an argument: both machines below are little-endian.
fn argument_offset(index: u8) -> u32 {
    16 + 8 * u32::from(index)
}

/// Other machines' calls are refused, and those after the profile's last.
fn prologue(profile: Option<&Profile>) -> Result<Vec<sock_filter>> {
    let unknown = || Error::other("no table of calls for this machine");
    // linux/audit.h: ELF machine, 64 bits, little-endian.
    let (machine, last) = match std::env::consts::ARCH {
        "x86_64" => (0xc000_003e, profile.map(|profile| profile.last_x86)),
        "aarch64" => (0xc000_00b7, profile.map(|profile| profile.last_generic)),
        _ => return Err(unknown()),
    };
    let none = refusal(libc::ENOSYS)?;
    let mut program = vec![
        load_word(offset(offset_of!(seccomp_data, arch))?),
        jump(BPF_JEQ, machine, 1, 0),
        none,
    ];
    if let Some(last) = last {
        program.push(load_word(offset(offset_of!(seccomp_data, nr))?));
        program.push(jump(BPF_JGT, last, 0, 1));
        program.push(none);
    }
    Ok(program)
}

/// Each word that does not fit jumps behind the block.
fn assemble(block: &Block) -> Result<Vec<sock_filter>> {
    let number = u32::try_from(block.number).map_err(Error::other)?;
    let after = |word: usize| u8::try_from(3 * (block.words.len() - word) + 1);
    let mut program = vec![
        load_word(offset(offset_of!(seccomp_data, nr))?),
        jump(BPF_JEQ, number, 0, after(0).map_err(Error::other)?),
    ];
    for (at, word) in block.words.iter().enumerate() {
        let after = after(at + 1).map_err(Error::other)?;
        program.push(load_word(word.offset));
        program.push(statement(BPF_ALU | BPF_AND | BPF_K, word.mask));
        program.push(match word.value {
            Some(value) => jump(BPF_JEQ, value, 0, after),
            None => jump(BPF_JEQ, 0, after, 0),
        });
    }
    program.push(refusal(block.errno)?);
    Ok(program)
}

fn offset(bytes: usize) -> Result<u32> {
    u32::try_from(bytes).map_err(Error::other)
}

fn refusal(errno: i32) -> Result<sock_filter> {
    let errno = u32::try_from(errno).map_err(Error::other)?;
    Ok(statement(BPF_RET | BPF_K, libc::SECCOMP_RET_ERRNO | errno))
}

fn load_word(offset: u32) -> sock_filter {
    statement(BPF_LD | BPF_W | BPF_ABS, offset)
}

fn statement(code: u32, k: u32) -> sock_filter {
    instruction(code, 0, 0, k)
}

fn jump(test: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    instruction(BPF_JMP | test | BPF_K, jt, jf, k)
}

fn instruction(code: u32, jt: u8, jf: u8, k: u32) -> sock_filter {
    let code = u16::try_from(code).unwrap_or(u16::MAX);
    sock_filter { code, jt, jf, k }
}

fn load(program: &mut [sock_filter]) -> Result<()> {
    let described = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(Error::other)?,
        filter: program.as_mut_ptr(),
    };
    // Without the privilege a filter may only be set by who can gain none.
    if !nix::unistd::geteuid().is_root() {
        // SAFETY: this form of prctl(2) takes numbers only.
        let done = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
        if done != 0 {
            return Err(Error::last_os_error());
        }
    }
    // SAFETY: `described` names a live array of `len` instructions, which the kernel copies.
    let done = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            0,
            &raw const described,
        )
    };
    if done == 0 {
        return Ok(());
    }
    Err(Error::last_os_error())
}
