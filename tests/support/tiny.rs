//! Programs as small as they can be: static, and gone at once.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Where such a program is loaded, and the sizes of its headers.
const BASE: u64 = 0x40_0000;
const HEADERS: usize = 64 + 56;

/// Puts a program at `path` that ends at once. Whether this architecture has one.
pub fn nothing(path: &Path) -> bool {
    let code: &[u8] = match std::env::consts::ARCH {
        // mov eax, SYS_exit; xor edi, edi; syscall
        "x86_64" => &[0xb8, 60, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05],
        // mov x0, #0; mov x8, #SYS_exit; svc #0
        "aarch64" => &[0, 0, 0x80, 0xd2, 0xa8, 0x0b, 0x80, 0xd2, 1, 0, 0, 0xd4],
        _ => return false,
    };
    place(path, code);
    true
}

/// Puts a program at `path` that opens `target`, writes the first `length` bytes of its
/// first argument, closes and ends. Whether this architecture has one.
pub fn writer(path: &Path, target: &str, length: u8) -> bool {
    if std::env::consts::ARCH != "x86_64" {
        return false;
    }
    let mut code = vec![
        0xb8, 2, 0, 0, 0, // mov eax, SYS_open
        0x48, 0x8d, 0x3d, 47, 0, 0, 0, // lea rdi, [target]
        0xbe, 0x41, 2, 0, 0, // mov esi, O_WRONLY | O_CREAT | O_TRUNC
        0xba, 0xa4, 1, 0, 0, // mov edx, 0644
        0x0f, 0x05, // syscall
        0x89, 0xc7, // mov edi, eax
        0xb8, 1, 0, 0, 0, // mov eax, SYS_write
        0x48, 0x8b, 0x74, 0x24, 16, // mov rsi, argv[1]
        0xba, length, 0, 0, 0, // mov edx, length
        0x0f, 0x05, // syscall
        0xb8, 3, 0, 0, 0, // mov eax, SYS_close
        0x0f, 0x05, // syscall
        0xb8, 60, 0, 0, 0, // mov eax, SYS_exit
        0x31, 0xff, // xor edi, edi
        0x0f, 0x05, // syscall
    ];
    code.extend(target.as_bytes());
    code.push(0);
    place(path, &code);
    true
}

/// An executable of one segment that holds its own headers (elf(5)).
fn place(path: &Path, code: &[u8]) {
    let machine: u16 = if std::env::consts::ARCH == "x86_64" {
        62
    } else {
        183
    };
    let size = (HEADERS + code.len()) as u64;
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(16, 0);
    file.extend(2_u16.to_le_bytes()); // ET_EXEC
    file.extend(machine.to_le_bytes());
    file.extend(1_u32.to_le_bytes());
    file.extend((BASE + HEADERS as u64).to_le_bytes()); // entry
    file.extend(64_u64.to_le_bytes()); // program headers
    file.extend([0; 12]); // no section headers, no flags
    for half in [64_u16, 56, 1, 0, 0, 0] {
        file.extend(half.to_le_bytes());
    }
    file.extend(1_u32.to_le_bytes()); // PT_LOAD
    file.extend(5_u32.to_le_bytes()); // read, execute
    for word in [0, BASE, BASE, size, size, 0x1000] {
        file.extend(word.to_le_bytes());
    }
    file.extend(code);
    fs::write(path, file).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}
