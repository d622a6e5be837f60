terraform {
  # The tests in tests/ need 1.7 for mock_provider.
  required_version = ">= 1.5.0"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = ">= 4.0, < 6.0"
    }
  }
}

provider "azurerm" {
  subscription_id = var.subscription_id

  # azurerm 4 registers some sixty resource providers unless told otherwise, azurerm 5 none.
  resource_provider_registrations = "none"
  resource_providers_to_register  = var.register_resource_provider ? ["Microsoft.CognitiveServices"] : []

  features {
    cognitive_account {
      purge_soft_delete_on_destroy = var.purge_on_destroy
    }
  }
}
