# `cvsearch config import-terraform` reads the first three.

output "cvsearch_endpoint" {
  description = "CVSEARCH_ENDPOINT: the resource's address."
  value       = azurerm_cognitive_account.vision.endpoint
}

output "cvsearch_auth" {
  description = "CVSEARCH_AUTH: key, or entra where keys are off."
  value       = var.local_auth_enabled ? "key" : "entra"
}

output "cvsearch_key" {
  description = "CVSEARCH_KEY: the first of the two keys; null where keys are off."
  value       = var.local_auth_enabled ? azurerm_cognitive_account.vision.primary_access_key : null
  sensitive   = true
}

output "account_id" {
  description = "The resource's id: the scope for giving the role to others."
  value       = azurerm_cognitive_account.vision.id
}

output "identity_principal_id" {
  description = "The object id of the resource's own identity."
  value       = azurerm_cognitive_account.vision.identity[0].principal_id
}

output "resource_group_name" {
  description = "The resource group, made here or not."
  value       = local.resource_group_name
}
