//! `CreateVirtualMFADevice`: a new second factor, for nobody yet; its secret is told once.

use api_iam::ops::CreateVirtualMFADevice;
use api_iam::types::{
    CreateVirtualMFADeviceRequest, CreateVirtualMFADeviceResponse, VirtualMFADevice,
};
use iam::{MfaDevice, Sealed};
use policy::{Access, Authorized, Caller};
use wire::ApiError;
use wire::Blob;

use crate::error::{already_exists, quota_exceeded};
use crate::{IamContext, access, mfa, name, quota, tag};

pub(crate) fn accesses(
    _ctx: &IamContext,
    caller: &Caller,
    input: &CreateVirtualMFADeviceRequest,
) -> Vec<Access> {
    let path = input.path.as_deref().unwrap_or(name::DEFAULT_PATH);
    let name = input.virtual_mfa_device_name.as_deref().unwrap_or_default();
    let on = access::on_mfa_device::<CreateVirtualMFADevice>(&caller.principal.account, path, name);
    access::to_create(on, input.tags.as_deref(), "iam:TagMFADevice")
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<CreateVirtualMFADevice>,
) -> Result<CreateVirtualMFADeviceResponse, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let mut device = MfaDevice {
        account: account.clone(),
        name: input.virtual_mfa_device_name.unwrap_or_default(),
        path: name::path_or_default(input.path),
        seed: Sealed(Vec::new()),
        created_at: ctx.now(),
        user: None,
        enabled_at: None,
        last_step: 0,
        drift_steps: 0,
        tags: tag::read(input.tags)?,
    };
    let seed = mfa::new_seed(ctx.ids.as_ref());
    let serial_number = device.serial_number();
    device.seed = mfa::seal(ctx, &device, &seed)?;
    ctx.commit(|view, change| {
        if view.identities().mfa_device(&iam::key(account, &device.name)).is_some() {
            return Err(already_exists(
                "MFADevice entity at the same path and name already exists.",
            ));
        }
        let own = view.identities().mfa_devices().filter(|device| device.account == *account);
        if own.count() >= quota::MFA_DEVICES {
            return Err(quota_exceeded("VirtualMFADevicesPerAccount", quota::MFA_DEVICES));
        }
        change.create(&device);
        Ok(())
    })
    .await?;
    let secret = mfa::base32(&seed);
    let image = mfa::qr_code_png(&format!("{}@{account}", device.name), &secret)?;
    Ok(CreateVirtualMFADeviceResponse {
        virtual_mfa_device: Some(VirtualMFADevice {
            serial_number: Some(serial_number),
            base32_string_seed: Some(Blob(secret.as_bytes().to_vec())),
            qr_code_png: Some(Blob(image)),
            tags: tag::render_some(&device.tags),
            ..VirtualMFADevice::default()
        }),
    })
}
