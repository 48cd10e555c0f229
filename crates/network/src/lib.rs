//! Addresses, interfaces, firewall rules and published ports of tasks.
