//! The engine in a world of its own: a kernel made of a map, servers that die and return, a
//! clock that jumps. Nothing here sleeps.

mod by_hand;
mod chaos;
mod ldirectord;
mod life;
mod maintenance;
mod roles;
mod sync;
mod trouble;
mod vips;
mod vitals;
mod world;
