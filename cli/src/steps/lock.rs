//! Keeps two commands from starting or stopping the same stack at once.

use anyhow::{Result, bail};
use local::Stack;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};

/// Held for as long as the command runs; the system releases it however the command ends.
pub(crate) struct Lock {
    _file: File,
}

/// Takes the stack's lock.
///
/// # Errors
/// Another command holds it; says which.
pub(crate) fn take(stack: &Stack) -> Result<Lock> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(stack.path("lock"))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            file.read_to_string(&mut holder)?;
            bail!(
                "Another `cargo holdfast` is starting or stopping the stack `{}` ({}). \
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
