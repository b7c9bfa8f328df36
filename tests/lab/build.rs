//! Links what is built for tests at a fixed address.
//!
//! A debug build holds 138,000 addresses that a start at an address of chance puts right, in 400
//! pages, and in the lab's kernel a page that is written for the first time is dear: `directord
//! --version` took 160 ms of processor there, a fixed one 73 ms, and `true` 40 ms. What is released
//! starts at an address of chance, as it should.

fn main() {
    println!("cargo::rerun-if-changed=tests/lab/build.rs");
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|found| found == value);
    if is("PROFILE", "debug") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        println!("cargo::rustc-link-arg=-no-pie");
    }
}
