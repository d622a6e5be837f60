# What cvsearch needs of Azure: one Computer Vision resource and the role to use it.

data "azurerm_client_config" "caller" {}

locals {
  # Where Azure serves multimodal embeddings, as of September 2025; docs/providers.md lists the same.
  regions = [
    "australiaeast", "eastus", "francecentral", "japaneast", "koreacentral", "northeurope",
    "southeastasia", "swedencentral", "switzerlandnorth", "westeurope", "westus", "westus2",
  ]
  location = replace(lower(var.location), " ", "")

  # Subdomains are unique in the world; this one stays the same for a subscription and a resource group.
  place     = lower("${data.azurerm_client_config.caller.subscription_id}/${var.resource_group_name}")
  subdomain = coalesce(var.subdomain, "${var.name}-${substr(sha256(local.place), 0, 8)}")

  resource_group_name = one(concat(azurerm_resource_group.new[*].name, data.azurerm_resource_group.existing[*].name))

  # A set: whoever applies this may also be named in principal_ids.
  caller_ids = var.assign_role_to_caller ? [data.azurerm_client_config.caller.object_id] : []
  user_ids   = toset([for id in concat(local.caller_ids, tolist(var.principal_ids)) : lower(id)])
}

resource "azurerm_resource_group" "new" {
  count = var.create_resource_group ? 1 : 0

  name     = var.resource_group_name
  location = local.location
  tags     = var.tags
}

data "azurerm_resource_group" "existing" {
  count = var.create_resource_group ? 0 : 1

  name = var.resource_group_name
}

resource "azurerm_cognitive_account" "vision" {
  name                = var.name
  resource_group_name = local.resource_group_name
  location            = local.location
  kind                = "ComputerVision"
  sku_name            = var.sku
  tags                = var.tags

  # Signing in by Entra and network rules both need the subdomain.
  custom_subdomain_name = local.subdomain
  local_auth_enabled    = var.local_auth_enabled

  identity {
    type = "SystemAssigned"
  }

  dynamic "network_acls" {
    for_each = var.network_rules[*]

    content {
      default_action = "Deny"
      ip_rules       = network_acls.value.ip_rules

      dynamic "virtual_network_rules" {
        for_each = network_acls.value.subnet_ids

        content {
          subnet_id = virtual_network_rules.value
        }
      }
    }
  }

  lifecycle {
    precondition {
      condition     = contains(local.regions, local.location)
      error_message = "The region ${var.location} serves no multimodal embeddings (list of September 2025). Take one of: ${join(", ", local.regions)}."
    }
  }
}

# Being the owner of a resource does not allow using it: that takes this role.
resource "azurerm_role_assignment" "user" {
  for_each = local.user_ids

  scope                = azurerm_cognitive_account.vision.id
  role_definition_name = "Cognitive Services User"
  principal_id         = each.value
}

check "somebody_can_sign_in" {
  assert {
    condition     = var.local_auth_enabled || length(local.user_ids) > 0
    error_message = "Keys are off and nobody gets the role here: only who has it from elsewhere can use the resource."
  }
}
