//! Keeps two commands from starting or stopping the same stack at once.

use anyhow::{Result, bail};
use local::Stack;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

/// Held for as long as the command runs; the system releases it however the command ends.
pub(crate) struct Lock {
    _file: File,
}

/// Takes the stack's lock.
///
/// # Errors
/// Another command holds it; says which.
pub(crate) fn take(stack: &Stack) -> Result<Lock> {
    take_file(&stack.path("lock"), stack)
}

/// Taken for a whole run of the tests: the one that is done first would take the stack from the
/// other. Lies outside the stack's folder, which goes with the stack.
///
/// # Errors
/// Another run holds it; says which.
pub(crate) fn take_for_test(stack: &Stack) -> Result<Lock> {
    stack.create_folder()?;
    let name = format!("{}.tests", stack.name());
    take_file(&stack.root().join(".holdfast").join(name), stack)
}

fn take_file(path: &Path, stack: &Stack) -> Result<Lock> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            file.read_to_string(&mut holder)?;
            bail!(
                "Another `cargo holdfast` is starting, stopping or testing the stack `{}` ({}). \
                 Wait until it is done, then try again.",
                stack.name(),
                holder.trim()
            );
        }
        Err(TryLockError::Error(error)) => return Err(error.into()),
    }
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "process {}", std::process::id())?;
    Ok(Lock { _file: file })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_command_is_told_who_is_at_it_and_a_later_one_gets_the_lock() {
        let root = std::env::temp_dir().join(format!("holdfast-lock-{}", uuid::Uuid::new_v4()));
        let stack = Stack::open(&root, "mine", Some(50_000)).unwrap();
        stack.create_folder().unwrap();
        let first = take(&stack).unwrap();
        let refusal = take(&stack).err().unwrap().to_string();
        assert!(
            refusal.contains(&format!("process {}", std::process::id())),
            "{refusal}"
        );
        drop(first);
        assert!(take(&stack).is_ok());
        std::fs::remove_dir_all(root).unwrap();
    }
}
