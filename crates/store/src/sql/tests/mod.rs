//! What the SQL adapter promises beyond its ports, on both engines.

mod bed;
mod change_feed;
mod concurrency;
mod copy;
mod destruction;
mod migrations;
mod opening;
mod records;
mod runs;
mod statements;
mod tiers;
