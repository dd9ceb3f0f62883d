"""One container service on Amazon ECS, from source to URL, whose CPU architecture is one config value."""

from functools import partial

import pulumi

from infra import base_image
from infra.alarms import Alarms
from infra.cluster import Cluster
from infra.config import Config
from infra.image import Image
from infra.load_balancer import LoadBalancer
from infra.network import Network
from infra.scaling import Scaling
from infra.service import Service
from infra.split import Split

config = Config.load()
base_image.check(config.image)

network = Network("web", config.network)
image = Image("web", config.image)
front = LoadBalancer("web", config.front, network=network)
alarms = Alarms("web", watching=front)
cluster = Cluster("web", image=image, network=network, behind=front)
deploy = partial(Service, cluster=cluster, image=image, behind=front, rollback_on=alarms)

service = deploy("web", config.main, target_group_arn=front.live)
Scaling("web", config.main, cluster=cluster, of=service)
if config.split:
    other = deploy("web-other", config.other, target_group_arn=front.spare)
    Scaling("web-other", config.other, cluster=cluster, of=other)
    Split("web", config.split, front=front, main=service, other=other)

pulumi.export("url", front.url)
pulumi.export("image", image.reference)
pulumi.export("arch", service.arch)
pulumi.export("split", config.split)
pulumi.export("cluster", cluster.name)
pulumi.export("service", service.name)
pulumi.export("tag", image.tag)
