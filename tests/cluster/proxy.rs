//! A way to etcd that loses what it is told to lose: bytes go through until it is cut; then what is asked still arrives,
//! and no answer comes back.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::SeqCst};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What a proxy does with bytes.
const WHOLE: u8 = 0;
/// Requests arrive, and the connection is closed in place of the first answer.
const ANSWERS_LOST: u8 = 1;
/// Connections are closed.
const CUT: u8 = 2;

pub(crate) struct Proxy {
    pub(crate) port: u16,
    mode: Arc<AtomicU8>,
}

impl Proxy {
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let mode = Arc::new(AtomicU8::new(WHOLE));
        let of_all = Arc::clone(&mode);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = SocketAddr::from(([127, 0, 0, 1], port));
                if of_all.load(SeqCst) != CUT
                    && let Ok(server) = TcpStream::connect(server).await
                {
                    let mode = Arc::clone(&of_all);
                    tokio::spawn(async move { carry(client, server, &mode).await });
                }
            }
        });
        Self { port: own, mode }
    }

    pub(crate) fn lose_answers(&self) {
        self.mode.store(ANSWERS_LOST, SeqCst);
    }

    pub(crate) fn cut(&self) {
        self.mode.store(CUT, SeqCst);
    }

    pub(crate) fn mend(&self) {
        self.mode.store(WHOLE, SeqCst);
    }
}

async fn carry(mut client: TcpStream, mut server: TcpStream, mode: &AtomicU8) {
    let (mut asked, mut answered) = (vec![0; 16_384], vec![0; 16_384]);
    let look = std::time::Duration::from_millis(20);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => match read {
                Ok(count @ 1..) => if server.write_all(&asked[..count]).await.is_err() { return },
                _ => return,
            },
            read = server.read(&mut answered) => match read {
                Ok(count @ 1..) if mode.load(SeqCst) == WHOLE => {
                    if client.write_all(&answered[..count]).await.is_err() { return }
                }
                _ => return,
            },
            () = tokio::time::sleep(look) => if mode.load(SeqCst) == CUT { return },
        }
    }
}
