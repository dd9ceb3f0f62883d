"""One container service on Amazon ECS, from source to URL, whose CPU architecture is one config value."""

import pulumi

from infra import base_image
from infra.config import Config
from infra.image import Image
from infra.load_balancer import LoadBalancer
from infra.network import Network
from infra.scaling import Scaling
from infra.service import Service

config = Config.load()
base_image.check(config.image)

network = Network("web", config.network)
image = Image("web", config.image)
front = LoadBalancer("web", config.front, network=network)
service = Service("web", config.service, image=image, network=network, behind=front)
Scaling("web", config.service, of=service)

pulumi.export("url", front.url)
pulumi.export("image", image.reference)
pulumi.export("arch", config.service.architecture.label)
pulumi.export("split", config.split)
pulumi.export("cluster", service.cluster_name)
pulumi.export("service", service.name)
pulumi.export("tag", image.tag)
