//! Second factors: their secrets, the codes made from them, and how a telephone learns the secret.

use base::IdSource;
use data_encoding::BASE32;
use flate2::{Compression, write::ZlibEncoder};
use iam::{MfaDevice, Sealed, User};
use identity::{mfa_purpose, totp};
use qrcode::{Color, QrCode};
use state::{Row, View};
use std::io::Write as _;
use wire::ApiError;
use zeroize::Zeroizing;

use crate::error::{no_such_entity, sealing_failed};
use crate::{IamContext, lookup};

/// Length of a secret: 64 characters in base32.
const SEED_BYTES: usize = 40;
/// How many pixels a module of the code is wide.
const MODULE_PIXELS: usize = 5;
/// How many modules are left white around the code, as the standard has it.
const QUIET_MODULES: usize = 4;

/// A new secret.
pub(crate) fn new_seed(ids: &dyn IdSource) -> Zeroizing<Vec<u8>> {
    let bytes = std::iter::repeat_with(|| ids.next_u64().to_ne_bytes()).flatten();
    Zeroizing::new(bytes.take(SEED_BYTES).collect())
}

/// The secret in the letters that people type.
pub(crate) fn base32(seed: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(BASE32.encode(seed))
}

/// The secret of a device, as its record keeps it.
pub(crate) fn seal(ctx: &IamContext, device: &MfaDevice, seed: &[u8]) -> Result<Sealed, ApiError> {
    let sealed = ctx.vault.seal(&mfa_purpose(&device.serial_number()), seed, ctx.ids.as_ref());
    sealed.map_err(|error| sealing_failed(&error))
}

/// The device with this serial number, which must be the user's.
pub(crate) fn of_user<'a>(
    view: &'a View,
    user: &User,
    serial_number: &str,
) -> Result<&'a Row<MfaDevice>, ApiError> {
    lookup::mfa_device(view, &user.account, serial_number)
        .ok()
        .filter(|device| device.user.as_deref() == Some(user.name.as_str()))
        .ok_or_else(|| no_such_entity("MFA Device invalid for user."))
}

/// The device as it is after its holder showed two codes in a row.
///
/// # Errors
/// `InvalidAuthenticationCode` when they are not two such codes of now, or were used before.
pub(crate) fn synchronised(
    ctx: &IamContext,
    device: &MfaDevice,
    codes: (Option<&str>, Option<&str>),
) -> Result<MfaDevice, ApiError> {
    let seed = ctx.vault.open(&mfa_purpose(&device.serial_number()), &device.seed);
    let seed = seed.map_err(|error| sealing_failed(&error))?;
    let (first, second) = (codes.0.unwrap_or_default(), codes.1.unwrap_or_default());
    let found = totp::two_consecutive(&seed, first, second, ctx.clock.now());
    let found = found.filter(|(step, _)| *step > device.last_step);
    let (last_step, drift_steps) = found.ok_or_else(|| {
        api_iam::errors::invalid_authentication_code_exception(
            "Authentication code for device is not valid.",
        )
    })?;
    Ok(MfaDevice { last_step, drift_steps, ..device.clone() })
}

/// A PNG image of the QR code that an authenticator reads: `otpauth://totp/LABEL?secret=SECRET`.
pub(crate) fn qr_code_png(label: &str, secret: &str) -> Result<Vec<u8>, ApiError> {
    let uri = Zeroizing::new(format!("otpauth://totp/{label}?secret={secret}"));
    let drawn = QrCode::new(uri.as_bytes()).ok().and_then(|code| {
        let modules = code.to_colors();
        png(&modules, code.width()).ok()
    });
    drawn.ok_or_else(|| {
        api_iam::errors::service_failure_exception("The QR code of the device cannot be drawn.")
    })
}

/// A square of modules as a PNG image of one bit a pixel.
fn png(modules: &[Color], width: usize) -> std::io::Result<Vec<u8>> {
    let pixels = (width + 2 * QUIET_MODULES) * MODULE_PIXELS;
    let blank = vec![u8::MAX; pixels.div_ceil(8)];
    let mut data = ZlibEncoder::new(Vec::new(), Compression::default());
    let mut line = |row: &[u8]| data.write_all(&[0]).and_then(|()| data.write_all(row));
    for _ in 0..QUIET_MODULES * MODULE_PIXELS {
        line(&blank)?;
    }
    for modules in modules.chunks(width) {
        let mut row = blank.clone();
        let dark = modules.iter().enumerate().filter(|(_, color)| **color == Color::Dark);
        for (column, _) in dark {
            let from = (QUIET_MODULES + column) * MODULE_PIXELS;
            for pixel in from..from + MODULE_PIXELS {
                if let Some(byte) = row.get_mut(pixel / 8) {
                    *byte &= !(0x80 >> (pixel % 8));
                }
            }
        }
        for _ in 0..MODULE_PIXELS {
            line(&row)?;
        }
    }
    for _ in 0..QUIET_MODULES * MODULE_PIXELS {
        line(&blank)?;
    }
    let side = u32::try_from(pixels).map_err(std::io::Error::other)?.to_be_bytes();
    let mut image = b"\x89PNG\r\n\x1a\n".to_vec();
    // One bit of grey a pixel, no filter of its own, not interlaced.
    chunk(&mut image, *b"IHDR", &[&side[..], &side[..], &[1, 0, 0, 0, 0]].concat())?;
    chunk(&mut image, *b"IDAT", &data.finish()?)?;
    chunk(&mut image, *b"IEND", &[])?;
    Ok(image)
}

fn chunk(image: &mut Vec<u8>, kind: [u8; 4], data: &[u8]) -> std::io::Result<()> {
    let length = u32::try_from(data.len()).map_err(std::io::Error::other)?;
    image.extend_from_slice(&length.to_be_bytes());
    let mut checked = crc32fast::Hasher::new();
    for part in [&kind[..], data] {
        checked.update(part);
        image.extend_from_slice(part);
    }
    image.extend_from_slice(&checked.finalize().to_be_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    /// The modules that an image of ours shows, a line of `#` and ` ` for each row.
    fn read(image: &[u8]) -> Vec<String> {
        assert_eq!(&image[..8], b"\x89PNG\r\n\x1a\n");
        let side = u32::from_be_bytes(image[16..20].try_into().unwrap()) as usize;
        let length = u32::from_be_bytes(image[33..37].try_into().unwrap()) as usize;
        assert_eq!(&image[37..41], b"IDAT");
        let mut lines = Vec::new();
        flate2::read::ZlibDecoder::new(&image[41..41 + length]).read_to_end(&mut lines).unwrap();
        let lines = lines.chunks(1 + side.div_ceil(8)).skip(MODULE_PIXELS / 2);
        lines
            .step_by(MODULE_PIXELS)
            .map(|line| {
                let pixels = (MODULE_PIXELS / 2..side).step_by(MODULE_PIXELS);
                let dark = |pixel: usize| line[1 + pixel / 8] & (0x80 >> (pixel % 8)) == 0;
                pixels.map(|pixel| if dark(pixel) { '#' } else { ' ' }).collect()
            })
            .collect()
    }

    #[test]
    fn the_image_shows_the_code() {
        let image = qr_code_png("ann@123456789012", "JBSWY3DPEHPK3PXP").unwrap();
        let code = QrCode::new(b"otpauth://totp/ann@123456789012?secret=JBSWY3DPEHPK3PXP").unwrap();
        let expected = code.render::<char>().module_dimensions(1, 1).dark_color('#').build();
        assert_eq!(read(&image).join("\n"), expected);
    }
}
