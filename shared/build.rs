//! Makes a new migration reach the binaries: the macro that embeds them does not watch the folder.

fn main() {
    println!("cargo:rerun-if-changed=../migrations");
}
