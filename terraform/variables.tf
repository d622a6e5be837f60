variable "subscription_id" {
  description = "The Azure subscription to deploy to; null: the environment variable ARM_SUBSCRIPTION_ID."
  type        = string
  default     = null

  validation {
    condition     = var.subscription_id == null || can(regex("^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", var.subscription_id))
    error_message = "A subscription id looks like 00000000-0000-0000-0000-000000000000; 'az account show --query id' prints it."
  }
}

variable "register_resource_provider" {
  description = "Whether to register Microsoft.CognitiveServices for the subscription; false where somebody else did, or may."
  type        = bool
  default     = true
  nullable    = false
}

variable "name" {
  description = "The Computer Vision resource's name, also the beginning of its subdomain."
  type        = string
  default     = "cvsearch"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{0,48}[a-z0-9]$", var.name))
    error_message = "A name has 2 to 50 small letters, digits and hyphens, and no hyphen at either end."
  }
}

variable "subdomain" {
  description = "The part before .cognitiveservices.azure.com, unique in the world; null: name and a hash of subscription and resource group."
  type        = string
  default     = null

  validation {
    condition     = var.subdomain == null || can(regex("^[a-z0-9][a-z0-9-]{0,62}[a-z0-9]$", var.subdomain))
    error_message = "A subdomain has 2 to 64 small letters, digits and hyphens, and no hyphen at either end."
  }
}

variable "resource_group_name" {
  description = "The resource group that holds the Computer Vision resource."
  type        = string
  default     = "cvsearch"
  nullable    = false

  validation {
    condition     = can(regex("^[-\\w.()]{0,89}[-\\w()]$", var.resource_group_name))
    error_message = "A resource group's name has 1 to 90 letters, digits, hyphens, dots, underscores and brackets, and no dot at its end."
  }
}

variable "create_resource_group" {
  description = "Whether to make the resource group; false: it exists, and is neither changed nor destroyed."
  type        = bool
  default     = true
  nullable    = false
}

variable "location" {
  description = "The region that sees the photos; only regions with multimodal embeddings are taken."
  type        = string
  default     = "eastus"
  nullable    = false
}

variable "sku" {
  description = "The pricing tier: F0 (free, few calls, one in a subscription) or S1 (paid by the call)."
  type        = string
  default     = "F0"
  nullable    = false

  validation {
    condition     = contains(["F0", "S1"], var.sku)
    error_message = "The tier is F0 (free) or S1 (paid by the call)."
  }
}

variable "local_auth_enabled" {
  description = "Whether the resource has keys; false: only Entra identities with the role may use it, and no key lands in the state."
  type        = bool
  default     = true
  nullable    = false
}

variable "assign_role_to_caller" {
  description = "Whether whoever applies this gets the role Cognitive Services User on the resource."
  type        = bool
  default     = true
  nullable    = false
}

variable "principal_ids" {
  description = "Object ids of further users, groups, service principals and managed identities that get the role."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for id in var.principal_ids : can(regex("^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", id))])
    error_message = "These are object ids such as 00000000-0000-0000-0000-000000000000, not names; 'az ad signed-in-user show --query id' prints one."
  }
}

variable "network_rules" {
  description = "Who may reach the resource: IPv4 addresses and ranges, and ids of subnets; all others are denied. null: everybody with a key or the role."
  type = object({
    ip_rules   = optional(set(string), [])
    subnet_ids = optional(set(string), [])
  })
  default = null

  validation {
    condition     = var.network_rules == null || try(length(var.network_rules.ip_rules) + length(var.network_rules.subnet_ids), 0) > 0
    error_message = "Network rules that let nobody in would lock you out too: give ip_rules, subnet_ids or null."
  }

  validation {
    condition     = alltrue([for rule in try(var.network_rules.ip_rules, []) : can(cidrnetmask(strcontains(rule, "/") ? rule : "${rule}/32"))])
    error_message = "ip_rules takes IPv4 addresses such as 203.0.113.7 and ranges such as 203.0.113.0/24."
  }

  validation {
    condition     = alltrue([for rule in try(var.network_rules.ip_rules, []) : !can(regex("/3[12]$", rule))])
    error_message = "Azure takes no /31 or /32 in ip_rules: write the addresses themselves."
  }

  validation {
    condition     = alltrue([for rule in try(var.network_rules.ip_rules, []) : !endswith(rule, "/0")])
    error_message = "A range that ends with /0 lets the whole internet in: for that leave network_rules null."
  }

  validation {
    condition     = alltrue([for rule in try(var.network_rules.ip_rules, []) : try(cidrhost(rule, 0), rule) == split("/", rule)[0]])
    error_message = "A range in ip_rules begins with its first address: 203.0.113.0/24, not 203.0.113.7/24."
  }

  # Two ranges overlap when they are the same by the shorter of their prefixes; "/32" is an address's.
  validation {
    condition = alltrue([
      for pair in setproduct(try(var.network_rules.ip_rules, []), [
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
        "192.168.0.0/16", "224.0.0.0/3",
      ]) :
      try(length(distinct([
        for one in pair : cidrhost(
          "${split("/", one)[0]}/${min([for range in pair : tonumber(split("/", "${range}/32")[1])]...)}", 0
        )
      ])) == 2, true)
      if !endswith(pair[0], "/0")
    ])
    error_message = "ip_rules takes the addresses that the internet sees you by. It never sees private ones (10., 100.64. to 100.127., 172.16. to 172.31., 192.168.), this machine's own (127.), nor any from 0., 169.254. and 224. on."
  }
}

variable "purge_on_destroy" {
  description = "Whether destroying also ends the 48 hours in which Azure would restore the resource and keeps its name and its F0 place."
  type        = bool
  default     = true
  nullable    = false
}

variable "tags" {
  description = "Tags of the resource and of a resource group made here."
  type        = map(string)
  default     = { application = "cvsearch" }
  nullable    = false
}
