//! Images made here and by other tools, good and hostile, imported into a store of their own. Needs root.

#[cfg(test)]
mod archive;
#[cfg(test)]
mod confinement;
#[cfg(test)]
mod flips;
#[cfg(test)]
mod good;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod sharing;
#[cfg(test)]
mod tools;
