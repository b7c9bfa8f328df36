//! The watcher on a virtual clock, section by section of mon's manual and its source.

mod defects;
mod dependencies;
mod events;
mod golden;
mod hosts;
mod orders;
mod properties;
mod reload;
mod role;
mod schedule;
mod state;
mod storms;
mod throttles;
mod traps;
mod world;
