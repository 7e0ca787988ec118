from twisted.application.service import ServiceMaker

pushgw = ServiceMaker("pushgw", "gateway.tap", "Push gateway for mobile devices.", "pushgw")
