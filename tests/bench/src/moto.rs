//! The peer for API requests: moto_server, which keeps everything in memory and checks no signatures.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use anyhow::Result;
use serde_json::json;
use sigv4::SecretKey;

use crate::http::Endpoint;
use crate::world::{BOUND, Client};
use crate::{Setting, clock};

/// A running moto_server. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Moto {
    process: Child,
    address: SocketAddr,
}

impl Moto {
    /// Starts it on a free port; `None` where it is not installed.
    pub(crate) fn start(setting: &Setting) -> Result<Option<Self>> {
        let Some(directory) = &setting.moto else { return Ok(None) };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        drop(listener);
        let process = Command::new(directory.join("bin/moto_server"))
            .args(["-H", "127.0.0.1", "-p", &address.port().to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let moto = Self { process, address };
        clock::wait("moto_server listens", BOUND, || Ok(TcpStream::connect(address).ok()))?;
        // It loads what it needs for a service at the first request.
        moto.client()?.ecs("ListClusters", &json!({}))?;
        Ok(Some(moto))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// It takes any signature.
    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint {
            address: self.address,
            access_key_id: "AKIAEXAMPLE".to_owned(),
            secret: SecretKey::new("example".to_owned()),
        }
    }

    pub(crate) fn client(&self) -> Result<Client> {
        Client::connect(self.endpoint())
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
