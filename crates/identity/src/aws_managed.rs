//! Managed policies that are there without anybody making them, as AWS publishes them. Few: only
//! those about what this program has.

/// A managed policy of AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AwsManagedPolicy {
    /// Its ARN: `arn:aws:iam::aws:policy/…`.
    pub arn: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Its path.
    pub path: &'static str,
    /// `ANPA…`.
    pub id: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// The version in force: `v1`.
    pub version_id: &'static str,
    /// The document of that version.
    pub document: &'static str,
}

/// All of them.
pub const fn all() -> &'static [AwsManagedPolicy] {
    ALL
}

/// The one with this ARN.
pub fn find(arn: &str) -> Option<&'static AwsManagedPolicy> {
    ALL.iter().find(|policy| policy.arn == arn)
}

macro_rules! aws_managed {
    ($($path:literal $name:literal $id:literal $version:literal $description:literal $document:literal)*) => {
        const ALL: &[AwsManagedPolicy] = &[$(AwsManagedPolicy {
            arn: concat!("arn:aws:iam::aws:policy", $path, $name),
            name: $name,
            path: $path,
            id: $id,
            description: $description,
            version_id: $version,
            document: $document,
        }),*];
    };
}

aws_managed! {
    "/" "AdministratorAccess" "ANPAIWMBCKSKIEE64ZLYK" "v1"
    "Allows everything."
    r#"{
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "*",
            "Resource": "*"
        }
    ]
}"#

    "/service-role/" "AmazonEC2ContainerServiceforEC2Role" "ANPAJLYJCVHC7TQHCSQDS" "v7"
    "What a container instance needs."
    r#"{
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": [
                "ec2:DescribeTags",
                "ecs:CreateCluster",
                "ecs:DeregisterContainerInstance",
                "ecs:DiscoverPollEndpoint",
                "ecs:Poll",
                "ecs:RegisterContainerInstance",
                "ecs:StartTelemetrySession",
                "ecs:UpdateContainerInstancesState",
                "ecs:Submit*",
                "ecr:GetAuthorizationToken",
                "ecr:BatchCheckLayerAvailability",
                "ecr:GetDownloadUrlForLayer",
                "ecr:BatchGetImage",
                "logs:CreateLogStream",
                "logs:PutLogEvents"
            ],
            "Resource": "*"
        },
        {
            "Effect": "Allow",
            "Action": "ecs:TagResource",
            "Resource": "*",
            "Condition": {
                "StringEquals": {
                    "ecs:CreateAction": [
                        "CreateCluster",
                        "RegisterContainerInstance"
                    ]
                }
            }
        }
    ]
}"#

    "/aws-service-role/" "AmazonECSServiceRolePolicy" "ANPAJVLK2Q4VUHCRGRNWG" "v11"
    "What the service-linked role of ECS needs."
    r#"{
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "ECSTaskManagement",
            "Effect": "Allow",
            "Action": [
                "ec2:AttachNetworkInterface",
                "ec2:CreateNetworkInterface",
                "ec2:CreateNetworkInterfacePermission",
                "ec2:DeleteNetworkInterface",
                "ec2:DeleteNetworkInterfacePermission",
                "ec2:Describe*",
                "ec2:DetachNetworkInterface",
                "elasticloadbalancing:DeregisterInstancesFromLoadBalancer",
                "elasticloadbalancing:DeregisterTargets",
                "elasticloadbalancing:Describe*",
                "elasticloadbalancing:RegisterInstancesWithLoadBalancer",
                "elasticloadbalancing:RegisterTargets",
                "servicediscovery:DeregisterInstance",
                "servicediscovery:Get*",
                "servicediscovery:List*",
                "servicediscovery:RegisterInstance"
            ],
            "Resource": "*"
        },
        {
            "Sid": "CWLogGroupManagement",
            "Effect": "Allow",
            "Action": [
                "logs:CreateLogGroup",
                "logs:DescribeLogGroups",
                "logs:PutRetentionPolicy"
            ],
            "Resource": "arn:aws:logs:*:*:log-group:/aws/ecs/*"
        },
        {
            "Sid": "CWLogStreamManagement",
            "Effect": "Allow",
            "Action": [
                "logs:CreateLogStream",
                "logs:DescribeLogStreams",
                "logs:PutLogEvents"
            ],
            "Resource": "arn:aws:logs:*:*:log-group:/aws/ecs/*:log-stream:*"
        }
    ]
}"#

    "/service-role/" "AmazonECSTaskExecutionRolePolicy" "ANPAJG4T4G4PV56DE72PY" "v1"
    "What starting a task needs: images and logs."
    r#"{
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": [
                "ecr:GetAuthorizationToken",
                "ecr:BatchCheckLayerAvailability",
                "ecr:GetDownloadUrlForLayer",
                "ecr:BatchGetImage",
                "logs:CreateLogStream",
                "logs:PutLogEvents"
            ],
            "Resource": "*"
        }
    ]
}"#

    "/" "AWSDenyAll" "ANPAZKAPJZG4P43IUQ5E5" "v2"
    "Denies everything."
    r#"{
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "DenyAll",
            "Effect": "Deny",
            "Action": [
                "*"
            ],
            "Resource": "*"
        }
    ]
}"#

    "/" "CloudWatchLogsFullAccess" "ANPAJ3ZGNWK2R5HW5BQFO" "v2"
    "Allows everything with logs."
    r#"{
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": [
                "logs:*",
                "cloudwatch:GenerateQuery"
            ],
            "Resource": "*"
        }
    ]
}"#

    "/" "CloudWatchLogsReadOnlyAccess" "ANPAJ2YIYDYSNNEHK3VKW" "v6"
    "Allows reading logs."
    r#"{
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": [
                "logs:Describe*",
                "logs:Get*",
                "logs:List*",
                "logs:StartQuery",
                "logs:StopQuery",
                "logs:TestMetricFilter",
                "logs:FilterLogEvents",
                "logs:StartLiveTail",
                "logs:StopLiveTail",
                "cloudwatch:GenerateQuery"
            ],
            "Resource": "*"
        }
    ]
}"#

    "/" "IAMFullAccess" "ANPAI7XKCFMBPM3QQRRVQ" "v2"
    "Allows everything with identities."
    r#"{
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": [
                "iam:*",
                "organizations:DescribeAccount",
                "organizations:DescribeOrganization",
                "organizations:DescribeOrganizationalUnit",
                "organizations:DescribePolicy",
                "organizations:ListChildren",
                "organizations:ListParents",
                "organizations:ListPoliciesForTarget",
                "organizations:ListRoots",
                "organizations:ListPolicies",
                "organizations:ListTargetsForPolicy"
            ],
            "Resource": "*"
        }
    ]
}"#

    "/" "IAMReadOnlyAccess" "ANPAJKSO7NDY4T57MWDSQ" "v4"
    "Allows reading identities."
    r#"{
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": [
                "iam:GenerateCredentialReport",
                "iam:GenerateServiceLastAccessedDetails",
                "iam:Get*",
                "iam:List*",
                "iam:SimulateCustomPolicy",
                "iam:SimulatePrincipalPolicy"
            ],
            "Resource": "*"
        }
    ]
}"#

    "/" "PowerUserAccess" "ANPAJYRXTHIB4FOVS3ZXS" "v5"
    "Allows everything but managing identities, accounts and the organisation."
    r#"{
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "NotAction": [
                "iam:*",
                "organizations:*",
                "account:*"
            ],
            "Resource": "*"
        },
        {
            "Effect": "Allow",
            "Action": [
                "iam:CreateServiceLinkedRole",
                "iam:DeleteServiceLinkedRole",
                "iam:ListRoles",
                "organizations:DescribeOrganization",
                "account:ListRegions",
                "account:GetAccountInformation"
            ],
            "Resource": "*"
        }
    ]
}"#
}

#[cfg(test)]
mod tests {
    use policy::{Policy, PolicyKind};

    use super::*;

    #[test]
    fn every_one_is_a_policy_and_found_by_its_arn() {
        for policy in all() {
            let parsed = Policy::parse(policy.document, PolicyKind::Identity);
            assert!(parsed.is_ok(), "{}: {parsed:?}", policy.name);
            assert_eq!(find(policy.arn), Some(policy));
        }
        assert_eq!(find("arn:aws:iam::aws:policy/Nothing"), None);
    }
}
