//! The write-ahead log: numbered, checksummed frames in a file whose room was set aside.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::LogError;

const HEADER_BYTES: usize = 20;
const MAGIC: [u8; 4] = *b"PCLW";

/// The log that is being written.
#[derive(Debug)]
pub(crate) struct Wal {
    path: PathBuf,
    file: Arc<File>,
    length_bytes: u64,
    next_number: u64,
    frame: Vec<u8>,
}

fn set_aside(file: &File, room_bytes: u64, path: &Path) -> Result<(), LogError> {
    if room_bytes == 0 {
        return Ok(());
    }
    match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, room_bytes) {
        // Room only makes syncing faster. Not every file system sets it aside, and on a full disk
        // it is the new log that lets the old one be deleted.
        Ok(())
        | Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS | rustix::io::Errno::NOSPC) => {
            Ok(())
        }
        Err(error) => Err(LogError::io("set aside room for", path)(error.into())),
    }
}

impl Wal {
    /// A new log at `path` whose first frame will be number `first_number`. It is durable, its
    /// directory entry is not.
    pub(crate) fn create(
        path: PathBuf,
        first_number: u64,
        room_bytes: u64,
    ) -> Result<Self, LogError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .map_err(LogError::io("create", &path))?;
        set_aside(&file, room_bytes, &path)?;
        file.sync_all().map_err(LogError::io("sync", &path))?;
        Ok(Self {
            path,
            file: Arc::new(file),
            length_bytes: 0,
            next_number: first_number,
            frame: Vec::new(),
        })
    }

    /// Opens the log at `path`, gives each whole frame to `apply` and goes on behind the last.
    pub(crate) fn replay(
        path: PathBuf,
        first_number: u64,
        room_bytes: u64,
        mut apply: impl FnMut(&[u8]) -> Result<(), LogError>,
    ) -> Result<Self, LogError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .map_err(LogError::io("open", &path))?;
        let file_bytes = file.metadata().map_err(LogError::io("read", &path))?.len();
        let mut wal = Self {
            path,
            file: Arc::new(file),
            length_bytes: 0,
            next_number: first_number,
            frame: Vec::new(),
        };
        let mut payload = Vec::new();
        while wal.read_frame(file_bytes, &mut payload)? {
            apply(&payload)?;
            wal.length_bytes += (HEADER_BYTES + payload.len()) as u64;
            wal.next_number += 1;
        }
        // Frames behind the first torn one were never acknowledged and must not come back.
        wal.file.set_len(wal.length_bytes).map_err(LogError::io("truncate", &wal.path))?;
        set_aside(&wal.file, room_bytes.max(wal.length_bytes), &wal.path)?;
        Ok(wal)
    }

    /// Reads the frame at the end of what is known; `false` when there is no whole one.
    fn read_frame(&self, file_bytes: u64, payload: &mut Vec<u8>) -> Result<bool, LogError> {
        let mut header = [0; HEADER_BYTES];
        if self.length_bytes + HEADER_BYTES as u64 > file_bytes {
            return Ok(false);
        }
        let read = LogError::io("read", &self.path);
        self.file.read_exact_at(&mut header, self.length_bytes).map_err(read)?;
        let [m0, m1, m2, m3, n0, n1, n2, n3, n4, n5, n6, n7, l0, l1, l2, l3, crc @ ..] = header;
        let number = u64::from_le_bytes([n0, n1, n2, n3, n4, n5, n6, n7]);
        let payload_bytes = u32::from_le_bytes([l0, l1, l2, l3]);
        let start = self.length_bytes + HEADER_BYTES as u64;
        if [m0, m1, m2, m3] != MAGIC
            || number != self.next_number
            || start + u64::from(payload_bytes) > file_bytes
        {
            return Ok(false);
        }
        payload.resize(payload_bytes as usize, 0);
        let read = LogError::io("read", &self.path);
        self.file.read_exact_at(payload, start).map_err(read)?;
        Ok(checksum(number, payload) == u32::from_le_bytes(crc))
    }

    /// Writes one frame; `fill` appends its payload. After an error the log is as before.
    ///
    /// Returns the frame's number.
    pub(crate) fn append(&mut self, fill: impl FnOnce(&mut Vec<u8>)) -> Result<u64, LogError> {
        self.frame.clear();
        self.frame.resize(HEADER_BYTES, 0);
        fill(&mut self.frame);
        let number = self.next_number;
        let Some((header, payload)) = self.frame.split_first_chunk_mut::<HEADER_BYTES>() else {
            return Err(LogError::io("frame an entry of", &self.path)(
                std::io::ErrorKind::InvalidData.into(),
            ));
        };
        let too_large = |_| std::io::Error::from(std::io::ErrorKind::FileTooLarge);
        let payload_bytes = u32::try_from(payload.len())
            .map_err(too_large)
            .map_err(LogError::io("append to", &self.path))?;
        let [m0, m1, m2, m3] = MAGIC;
        let [n0, n1, n2, n3, n4, n5, n6, n7] = number.to_le_bytes();
        let [l0, l1, l2, l3] = payload_bytes.to_le_bytes();
        let [c0, c1, c2, c3] = checksum(number, payload).to_le_bytes();
        *header = [m0, m1, m2, m3, n0, n1, n2, n3, n4, n5, n6, n7, l0, l1, l2, l3, c0, c1, c2, c3];
        self.file
            .write_all_at(&self.frame, self.length_bytes)
            .map_err(LogError::io("append to", &self.path))?;
        crash_point::crash_point!("logstore.frame.written");
        self.length_bytes += self.frame.len() as u64;
        self.next_number += 1;
        // One huge batch must not hold its memory for ever.
        self.frame.shrink_to(FRAME_KEPT_BYTES);
        Ok(number)
    }

    pub(crate) const fn length_bytes(&self) -> u64 {
        self.length_bytes
    }

    pub(crate) const fn next_number(&self) -> u64 {
        self.next_number
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// For syncing without holding the store's lock.
    pub(crate) fn file(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }
}

const FRAME_KEPT_BYTES: usize = 512 << 10;

fn checksum(number: u64, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&number.to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(path: &Path) -> (Vec<Vec<u8>>, Wal) {
        let mut frames = Vec::new();
        let wal = Wal::replay(path.to_owned(), 5, 0, |payload| {
            frames.push(payload.to_vec());
            Ok(())
        })
        .unwrap();
        (frames, wal)
    }

    #[test]
    fn a_log_cut_anywhere_gives_its_whole_frames_and_goes_on() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("wal");
        let mut wal = Wal::create(path.clone(), 5, 4096).unwrap();
        let texts: [&[u8]; 3] = [b"one", b"", b"three"];
        let mut ends = Vec::new();
        for text in texts {
            wal.append(|frame| frame.extend_from_slice(text)).unwrap();
            ends.push(wal.length_bytes());
        }
        let whole = std::fs::read(&path).unwrap();
        for cut in 0..=usize::try_from(wal.length_bytes()).unwrap() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let expected = ends.iter().filter(|end| **end <= cut as u64).count();
            let (read, mut again) = frames(&path);
            assert_eq!(read, texts[..expected], "cut at {cut}");
            assert_eq!(again.append(|frame| frame.push(b'x')).unwrap(), 5 + expected as u64);
            assert_eq!(frames(&path).0.last().unwrap(), b"x");
        }
    }

    #[test]
    fn a_changed_byte_ends_the_log_there() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("wal");
        let mut wal = Wal::create(path.clone(), 5, 0).unwrap();
        for text in [b"one", b"two"] {
            wal.append(|frame| frame.extend_from_slice(text)).unwrap();
        }
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(frames(&path).0, [b"one"]);
    }
}
